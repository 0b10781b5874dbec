"""What the watch compares its looks with: the nodes and roles of one cluster, in five queries."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet

from clustermgr.core.sightings import RoleFacts
from clustermgr.core.states import ACTIVE
from clustermgr.models import Cluster, Drift, Holder, Node, Operation, Vm

#: By how much clocks of machines that work together may differ.
AHEAD = timedelta(seconds=10)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A possible holder that is not the VM's owner: it stays one until that node is seen without the VM."""

    id: int
    vm: int
    uuid: str
    node: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Watched:
    """One cluster at one version. Keys of `roles` and `figures` are UUIDs."""

    version: int
    nodes: dict[int, Node] = field(default_factory=dict)
    roles: dict[str, RoleFacts] = field(default_factory=dict)
    by_owner: dict[int, list[RoleFacts]] = field(default_factory=lambda: defaultdict(list))
    figures: dict[str, tuple[float | None, int | None]] = field(default_factory=dict)
    config_versions: dict[str, int] = field(default_factory=dict)
    drifted: frozenset[int] = frozenset()
    leftovers: tuple[Leftover, ...] = ()

    def busy(self) -> dict[int, int]:
        """VMs that an operation holds, with their owners."""
        return {role.id: role.owner for role in self.roles.values() if role.busy}


def version_of(cluster_id: int) -> int | None:
    """The cluster's version; None when the cluster is gone."""
    return Cluster.objects.filter(pk=cluster_id).values_list("version", flat=True).first()


def watched(cluster_id: int, version: int, held: dict[int, datetime], now: datetime) -> Watched:
    """`held`: until when an operation is known to have held a VM; older looks at it say nothing. What was
    written in what is the future `now` was written before the clock was set back, so before every look."""
    busy = set(Operation.objects.filter(cluster=cluster_id, state__in=ACTIVE).values_list("vm_id", flat=True))
    leftovers = tuple(
        Leftover(pk, vm, uuid, node, since if since <= now + AHEAD else LONG_AGO)
        for pk, vm, uuid, node, since in _leftovers(cluster_id, busy)
    )
    elsewhere: dict[int, set[int]] = defaultdict(set)
    for left in leftovers:
        elsewhere[left.vm].add(left.node)
    found = Watched(
        version=version,
        nodes={node.pk: node for node in Node.objects.select_related("access").filter(cluster=cluster_id)},
        drifted=frozenset(Drift.objects.filter(vm__cluster=cluster_id).values_list("vm_id", flat=True)),
        leftovers=leftovers,
    )
    for row in Vm.objects.filter(cluster=cluster_id).values_list(*COLUMNS).iterator(2000):
        (pk, uuid, name, owner, state, reason, wanted, seen, started, vague, *rest) = row
        (file, spent, cpu, mib, config) = rest
        stamps = [stamp for stamp in (seen, held.get(pk)) if stamp is not None and stamp <= now + AHEAD]
        found.roles[uuid] = RoleFacts(
            id=pk,
            uuid=uuid,
            name=name,
            owner=owner,
            state=state,
            reason=reason,
            wanted=wanted,
            changed_at=max(stamps, default=None),
            started_at=started,
            started_seen=vague,
            saved_state=bool(file) and not spent,
            busy=pk in busy,
            elsewhere=frozenset(elsewhere.get(pk, ())),
        )
        found.by_owner[owner].append(found.roles[uuid])
        found.figures[uuid] = (cpu, mib)
        found.config_versions[uuid] = config
    return found


def _leftovers(cluster_id: int, busy: set[int]) -> QuerySet[Holder, tuple[Any, ...]]:
    rows = Holder.objects.filter(vm__cluster=cluster_id).exclude(node=F("vm__owner")).exclude(vm__in=busy)
    return rows.values_list("pk", "vm_id", "vm__uuid", "node_id", "since")


COLUMNS = (
    "pk",
    "uuid",
    "name",
    "owner_id",
    "state",
    "state_reason",
    "wanted",
    "observed_at",
    "started_at",
    "started_seen",
    "saved_file",
    "saved_spent",
    "cpu_percent",
    "memory_used_mib",
    "config_version",
)
