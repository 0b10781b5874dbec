"""Rows -> core.world: the only such translation."""

from __future__ import annotations

from collections import defaultdict

from clustermgr.core.states import ACTIVE, OperationKind, VmState
from clustermgr.core.world import ClusterView, NodeView, VmView
from clustermgr.models import Cluster, Node, Operation, Vm, VolumeAccess

#: States in which a VM's memory is taken on its node.
OCCUPIES = [
    VmState.RUNNING,
    VmState.PAUSED,
    VmState.PAUSED_CRITICAL,
    VmState.STARTING,
    VmState.SAVING,
    VmState.STOPPING,
    VmState.MIGRATING,
    VmState.UNMONITORED,
]
BRINGS_MEMORY = [
    OperationKind.LIVE_MIGRATION,
    OperationKind.QUICK_MIGRATION,
    OperationKind.MOVE,
    OperationKind.RECOVERY,
]


def cluster_view(cluster: Cluster, *, without: int = 0) -> ClusterView:
    """The cluster for placement: four queries, whatever its size. `without`: an operation not counted."""
    committed: dict[int, int] = defaultdict(int)
    taken = Vm.objects.filter(cluster=cluster, state__in=OCCUPIES).values_list("owner_id", "memory_mib")
    for owner, mib in taken:
        committed[owner] += mib
    coming = (
        Operation.objects.filter(
            cluster=cluster, state__in=ACTIVE, kind__in=BRINGS_MEMORY, target__isnull=False
        )
        .exclude(pk=without)
        .values_list("target_id", "vm__owner_id", "vm__memory_mib")
    )
    for target, owner, mib in coming:
        if target != owner:
            committed[target] += mib
    volumes: dict[int, set[int]] = defaultdict(set)
    seen = VolumeAccess.objects.filter(node__cluster=cluster, reachable=True, active=True)
    for node_id, volume_id in seen.values_list("node_id", "volume_id"):
        volumes[node_id].add(volume_id)
    nodes = {
        node.pk: node_view(node, committed[node.pk], frozenset(volumes[node.pk]))
        for node in Node.objects.filter(cluster=cluster)
    }
    return ClusterView(name=cluster.name, nodes=nodes)


def node_view(node: Node, committed: int, volumes: frozenset[int]) -> NodeView:
    return NodeView(
        id=node.pk,
        name=node.name,
        state=node.state,
        paused=node.paused,
        cpus=node.cpus,
        memory_mib=node.memory_mib,
        committed_mib=committed,
        cpu_percent=node.cpu_percent,
        cpu_features=frozenset(node.cpu_features),
        networks=frozenset(node.networks),
        volumes=volumes,
        hypervisor=node.hypervisor,
        simulated=node.simulated,
        capabilities=frozenset(node.capabilities),
    )


def vm_view(vm: Vm) -> VmView:
    volume = vm.volume
    return VmView(
        id=vm.pk,
        name=vm.name,
        owner=vm.owner_id,
        state=vm.state,
        memory_mib=vm.memory_mib,
        vcpus=vm.vcpus,
        volume=vm.volume_id,
        volume_name=volume.name if volume else "",
        volume_is_disk=bool(volume and volume.kind == "disk"),
        has_disks=bool(vm.settings.get("disks")),
        networks=frozenset(nic["network"] for nic in vm.settings.get("nics", ()) if nic.get("network")),
        possible=tuple(vm.possible_owners),
        preferred=tuple(vm.preferred_owners),
    )
