"""Rows of the lists as plain values, for full page, htmx swap and live push. Nothing viewer-dependent.

`vm_rows`, `node_rows` and `operation_rows` keep the order of what they are given (ids or a sliced queryset).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from clustermgr.core.states import (
    ACTIVE,
    NodeState,
    OperationKind,
    OperationState,
    VmState,
    cancellable,
    may_be_given_up,
)
from clustermgr.models import Drift, Event, Node, Operation, Vm
from clustermgr.queries.ages import NodeSight, VmSight, heard_at, seen


@dataclass(frozen=True, slots=True)
class OperationRow:
    id: int
    cluster: str
    kind: str
    vm_id: int | None  # None: the role was removed from the cluster
    vm_name: str
    source: str
    target: str
    state: str
    phase: str
    wait_reason: str
    outcome: str
    advice: str
    raw_reason: str
    requested_by: str
    cancel_requested_by: str
    reason: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: dict[str, Any] = field(default_factory=dict)
    waits_in_vain: bool = False  # for a silent host, and it can be ended without it

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def moves(self) -> bool:
        return bool(self.target) and self.target != self.source

    @property
    def percent(self) -> float | None:
        """None: no bar to show yet (queued, or work without a measure)."""
        if self.state == OperationState.QUEUED:
            return None
        value = self.progress.get("percent")
        return None if value is None else float(value)

    @property
    def converging(self) -> bool:
        return bool(self.progress.get("converging", True))

    @property
    def stoppable(self) -> bool:
        if self.state == OperationState.QUEUED:
            return True
        if self.state != OperationState.RUNNING:
            return False
        return self.waits_in_vain or cancellable(self.kind, self.phase)

    @property
    def took(self) -> float | None:
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class VmRow(VmSight):
    id: int
    cluster: str
    name: str
    state: str
    state_since: datetime
    state_reason: str
    owner_id: int
    owner: str
    volume: str
    wanted: str
    priority: str
    vcpus: int
    memory_mib: int
    memory_used_mib: int | None
    cpu_percent: float | None
    started_at: datetime | None
    started_seen: bool  # nobody knows when it started; it ran already at started_at
    pending: dict[str, Any]  # what it still runs with, until its next start
    drifted: bool
    age: str  # "fresh", "old" or "unknown"
    seen_at: datetime | None
    operation: OperationRow | None = None

    @property
    def moving(self) -> bool:
        return self.operation is not None and self.operation.moves


@dataclass(frozen=True, slots=True)
class NodeRow(NodeSight):
    id: int
    cluster: str
    name: str
    state: str
    paused: bool
    state_since: datetime
    state_reason: str
    simulated: bool
    hypervisor: str
    cpus: int
    memory_mib: int
    cpu_percent: float | None
    memory_used_mib: int | None
    roles: int
    running: int
    moving_in: int
    moving_out: int
    age: str
    seen_at: datetime | None

    @property
    def memory_percent(self) -> float | None:
        if self.memory_used_mib is None or not self.memory_mib:
            return None
        return min(100.0, 100.0 * self.memory_used_mib / self.memory_mib)


def operation_row(row: Operation) -> OperationRow:
    return OperationRow(
        id=row.pk,
        cluster=row.cluster.slug,
        kind=row.kind,
        vm_id=row.vm_id,
        vm_name=row.vm_name,
        source=row.source_name,
        target=row.target_name,
        state=row.state,
        phase=row.phase,
        wait_reason=row.wait_reason,
        outcome=row.outcome,
        advice=row.advice,
        raw_reason=row.raw_reason,
        requested_by=row.requested_by,
        cancel_requested_by=row.cancel_requested_by,
        reason=row.reason,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        progress=row.progress or {},
        waits_in_vain=row.due_at is not None and may_be_given_up(row.kind, row.step, row.params),
    )


def operations() -> QuerySet[Operation]:
    """Operations with what their rows need, in one query."""
    return Operation.objects.select_related("cluster", "vm", "source", "target").defer(
        "vm__definition", "vm__notes", "vm__settings", "memory"
    )


def operation_rows(ids: Iterable[int]) -> list[OperationRow]:
    found = {row.pk: row for row in operations().filter(pk__in=list(ids))}
    return [operation_row(found[pk]) for pk in ids if pk in found]


def told() -> QuerySet[Event]:
    """Events with the names that their rows show."""
    names = ("vm__name", "node__name")
    return Event.objects.select_related("vm", "node").only(*_EVENT, *names)


_EVENT = ("at", "level", "code", "params", "actor", "cluster", "vm", "node", "operation", "cause")


def vms() -> QuerySet[Vm]:
    """VMs with what their rows need; the operation under way takes one more query for all of them."""
    drifted = Exists(Drift.objects.filter(vm=OuterRef("pk")))
    found = Vm.objects.select_related("cluster__watch", "owner", "volume")
    return found.only(*_VM_ROW).annotate(drifted=drifted)


#: Reading and building all columns of a hundred VMs, with their nodes, takes three times as long (measured).
_VM_ROW = (
    "name",
    "state",
    "state_since",
    "state_reason",
    "wanted",
    "priority",
    "vcpus",
    "memory_mib",
    "memory_used_mib",
    "cpu_percent",
    "started_at",
    "started_seen",
    "pending",
    "cluster__slug",
    "cluster__watch__heard_at",
    "owner__name",
    "owner__state",
    "owner__observed_at",
    "volume__name",
)


def vm_rows_of(rows: Iterable[Vm]) -> list[VmRow]:
    rows = list(rows)
    running = {
        row.vm_id: operation_row(row)
        for row in operations().filter(vm__in=[v.pk for v in rows], state__in=ACTIVE)
    }
    return [_vm_row(row, running.get(row.pk)) for row in rows]


def vm_rows(ids: Iterable[int]) -> list[VmRow]:
    ids = list(ids)
    found = {row.id: row for row in vm_rows_of(vms().filter(pk__in=ids))}
    return [found[pk] for pk in ids if pk in found]


def _vm_row(row: Any, operation: OperationRow | None) -> VmRow:
    seen_at, age = seen(row.owner, heard_at(row.cluster))
    state = row.state
    if operation is not None and operation.moves and operation.state != OperationState.QUEUED:
        # The word of the list while a move runs; what the hosts say comes back when it ends.
        state = VmState.MIGRATING if operation.kind == OperationKind.LIVE_MIGRATION else state
    return VmRow(
        id=row.pk,
        cluster=row.cluster.slug,
        name=row.name,
        state=state,
        state_since=row.state_since,
        state_reason=row.state_reason,
        owner_id=row.owner_id,
        owner=row.owner.name,
        volume=row.volume.name if row.volume else "",
        wanted=row.wanted,
        priority=row.priority,
        vcpus=row.vcpus,
        memory_mib=row.memory_mib,
        memory_used_mib=row.memory_used_mib,
        cpu_percent=row.cpu_percent,
        started_at=row.started_at,
        started_seen=row.started_seen,
        pending=row.pending,
        drifted=row.drifted,
        age=age,
        seen_at=seen_at,
        operation=operation,
    )


def nodes() -> QuerySet[Node]:
    """Nodes with the counts of their rows."""
    return (
        Node.objects.select_related("cluster__watch")
        .annotate(
            roles=roles_on_it(),
            running=roles_on_it(state__in=_LIVE),
            moving_in=_moves("target"),
            moving_out=_moves("source"),
        )
        .order_by("name")
    )


_LIVE = (VmState.RUNNING, VmState.MIGRATING, VmState.PAUSED, VmState.STARTING, VmState.SAVING)


def roles_on_it(**narrowed: Any) -> Coalesce:
    """How many VMs are on this node; counted node by node in an index, not by joining all with all."""
    counted = Vm.objects.filter(owner=OuterRef("pk"), **narrowed).order_by().values("owner")
    return Coalesce(Subquery(counted.annotate(n=Count("pk")).values("n")), 0)


def _moves(end: str) -> Coalesce:
    """How many moves that are under way have this node at that end."""
    moves = Operation.objects.filter(state__in=ACTIVE[1:], **{end: OuterRef("pk")}).exclude(
        target=F("source")
    )
    counted = moves.filter(target__isnull=False).order_by().values(end).annotate(n=Count("pk"))
    return Coalesce(Subquery(counted.values("n")), 0)


def listed_nodes() -> QuerySet[Node]:
    """The same without what only a node's own page shows."""
    return nodes().defer("cpu_features", "networks", "capabilities")


def node_rows_of(rows: Iterable[Any]) -> list[NodeRow]:
    return [_node_row(row) for row in rows]


def node_rows(ids: Iterable[int]) -> list[NodeRow]:
    ids = list(ids)
    found = {row.id: row for row in node_rows_of(nodes().filter(pk__in=ids))}
    return [found[pk] for pk in ids if pk in found]


def _node_row(row: Any) -> NodeRow:
    seen_at, age = seen(row, heard_at(row.cluster))
    return NodeRow(
        id=row.pk,
        cluster=row.cluster.slug,
        name=row.name,
        state=row.state,
        paused=row.paused,
        state_since=row.state_since,
        state_reason=row.state_reason or _joins(row),
        simulated=row.simulated,
        hypervisor=row.hypervisor,
        cpus=row.cpus,
        memory_mib=row.memory_mib,
        cpu_percent=row.cpu_percent,
        memory_used_mib=row.memory_used_mib,
        roles=row.roles,
        running=row.running,
        moving_in=row.moving_in,
        moving_out=row.moving_out,
        age=age,
        seen_at=seen_at,
    )


def _joins(row: Node) -> str:
    """Why a node is still Joining."""
    if row.state != NodeState.JOINING:
        return ""
    if row.taken_in:
        return "It answers again; its virtual machines are being compared with what is known of them."
    return "It is being read for the first time; its virtual machines appear here after that."
