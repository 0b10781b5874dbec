"""Where a VM can go: filter, rank, and the reason for every node that is rejected.

The Move dialog and the orders use the same checks, so a preview and its execution cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from clustermgr.core.findings import Finding, finding
from clustermgr.core.states import NodeState, OperationKind, VmState
from clustermgr.core.words import memory, state_word
from clustermgr.core.world import ClusterView, NodeView, VmView

#: VMs whose processor features must be found again on the target: their memory moves with them.
CARRIES_STATE = frozenset({OperationKind.LIVE_MIGRATION, OperationKind.QUICK_MIGRATION})
NEEDS_MEMORY = frozenset({VmState.RUNNING, VmState.PAUSED, VmState.STARTING, VmState.MIGRATING})


class Mark(StrEnum):
    BEST = "best"
    GOOD = "good"
    POSSIBLE = "possible"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said of one node as the target. Percentages are of the node, after the move."""

    node: int
    name: str
    mark: Mark
    findings: tuple[Finding, ...]
    why: str
    memory_percent_after: float | None
    cpu_percent_after: float | None


def judge(vm: VmView, cluster: ClusterView, kind: OperationKind) -> list[Verdict]:
    """A verdict for every node of the cluster but refusing nothing by itself; the best first."""
    rows = []
    for node in cluster.nodes.values():
        found = tuple(obstacles(vm, node, cluster, kind))
        rows.append((node, found))
    able = [node for node, found in rows if not found]
    order = sorted(able, key=lambda node: _rank(vm, node))
    best = order[0].id if order else None
    verdicts = [_verdict(vm, node, found, node.id == best) for node, found in rows]
    place = {node.id: position for position, node in enumerate(order)}
    return sorted(verdicts, key=lambda v: (place.get(v.node, len(rows)), v.name))


def obstacles(vm: VmView, node: NodeView, cluster: ClusterView, kind: OperationKind) -> Iterator[Finding]:
    """Every reason why `vm` cannot go to `node`, not only the first."""
    if node.id == vm.owner:
        yield finding("target_is_source", vm=vm.name, node=node.name)
        return
    if node.paused:
        yield finding("target_paused", node=node.name)
    elif node.state != NodeState.UP:
        yield finding("target_not_up", node=node.name, state=state_word(node.state))
    if vm.possible and node.id not in vm.possible:
        yield finding("not_possible_owner", node=node.name, vm=vm.name)
    yield from _storage(vm, node, cluster)
    free = node.memory_mib - node.committed_mib - cluster.reserve_mib
    if vm.state in NEEDS_MEMORY and vm.memory_mib > free:
        yield finding(
            "no_memory", node=node.name, vm=vm.name, free=memory(max(0, free)), needed=memory(vm.memory_mib)
        )
    for network in sorted(vm.networks - node.networks):
        yield finding("network_missing", node=node.name, vm=vm.name, network=network)
    if kind in CARRIES_STATE:
        yield from _processors(vm, node, cluster)


def _storage(vm: VmView, node: NodeView, cluster: ClusterView) -> Iterator[Finding]:
    if vm.volume is None:
        if vm.has_disks:
            yield finding("volume_unknown", vm=vm.name, node=node.name)
        return
    if vm.volume_is_disk:
        owner = cluster.nodes[vm.owner].name
        yield finding("cluster_disk", vm=vm.name, volume=vm.volume_name, node=owner)
    elif vm.volume not in node.volumes:
        yield finding("volume_not_visible", vm=vm.name, volume=vm.volume_name, node=node.name)


def _processors(vm: VmView, node: NodeView, cluster: ClusterView) -> Iterator[Finding]:
    source = cluster.nodes[vm.owner]
    if source.simulated != node.simulated:
        yield finding(
            "other_hypervisor",
            node=node.name,
            target=node.hypervisor,
            source_node=source.name,
            source=source.hypervisor,
        )
    missing = sorted(source.cpu_features - node.cpu_features)
    if missing:
        yield finding("cpu_features_missing", node=node.name, vm=vm.name, features=", ".join(missing[:6]))


def _rank(vm: VmView, node: NodeView) -> tuple[int, float, str]:
    preferred = vm.preferred.index(node.id) if node.id in vm.preferred else len(vm.preferred)
    return (preferred, node.committed_mib - node.memory_mib, node.name)


def _memory_after(vm: VmView, node: NodeView) -> float:
    return 100.0 * (node.committed_mib + vm.memory_mib) / node.memory_mib if node.memory_mib else 100.0


def _verdict(vm: VmView, node: NodeView, found: tuple[Finding, ...], best: bool) -> Verdict:
    if found:
        return Verdict(node.id, node.name, Mark.NO, found, "", None, None)
    after = _memory_after(vm, node)
    reasons = [f"preferred owner {vm.preferred.index(node.id) + 1}"] if node.id in vm.preferred else []
    reasons.append(
        "most free memory" if best and not reasons else f"memory {int(after)}% used after the move"
    )
    cpu = (
        None
        if node.cpu_percent is None
        else min(100.0, node.cpu_percent + 100.0 * vm.vcpus / 4 / max(1, node.cpus))
    )
    return Verdict(
        node.id, node.name, Mark.BEST if best else Mark.GOOD, (), ", ".join(reasons), round(after, 1), cpu
    )
