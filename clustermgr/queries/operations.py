"""Lists of operations: all tasks, the migrations centre, and what happened in one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q

from clustermgr.core.states import ACTIVE, SETTLED, OperationKind, OperationState
from clustermgr.models import Cluster, Event, Operation, Slot
from clustermgr.ports import clock
from clustermgr.queries.roles import whole
from clustermgr.queries.rows import OperationRow, operation_row, operations, told

PAGE = 100
MOVES = (OperationKind.LIVE_MIGRATION, OperationKind.QUICK_MIGRATION, OperationKind.MOVE)


@dataclass(frozen=True, slots=True)
class TaskFilter:
    q: str = ""
    state: str = ""
    kind: str = ""
    mine: str = ""
    before: int | None = None
    limit: int = PAGE

    @property
    def narrowed(self) -> bool:
        return bool(self.q or self.state or self.kind or self.mine)

    @classmethod
    def read(cls, query: Mapping[str, str], name: str) -> TaskFilter:
        state, kind = query.get("state", ""), query.get("kind", "")
        return cls(
            q=query.get("q", "").strip()[:100],
            state=state if state in list(OperationState) else "",
            kind=kind if kind in list(OperationKind) else "",
            mine=name if query.get("mine") == "1" else "",
            before=whole(query.get("before", "")),
        )


@dataclass(frozen=True, slots=True)
class TaskList:
    rows: list[OperationRow]
    next_before: int | None


def task_list(cluster: Cluster, wanted: TaskFilter) -> TaskList:
    found = operations().filter(cluster=cluster)
    if wanted.q:
        found = found.filter(Q(vm__name__icontains=wanted.q) | Q(gone_vm__icontains=wanted.q))
    if wanted.state:
        found = found.filter(state=wanted.state)
    if wanted.kind:
        found = found.filter(kind=wanted.kind)
    if wanted.mine:
        found = found.filter(requested_by=wanted.mine)
    if wanted.before:
        found = found.filter(pk__lt=wanted.before)
    rows = [operation_row(row) for row in found.order_by("-id")[: wanted.limit + 1]]
    return TaskList(rows[: wanted.limit], rows[wanted.limit - 1].id if len(rows) > wanted.limit else None)


@dataclass(frozen=True, slots=True)
class Centre:
    """The migrations centre. Queued ones stand in the order in which slots are given."""

    running: list[OperationRow]
    queued: list[OperationRow]
    finished: list[OperationRow]
    slots_used: int
    rate: int
    limit: int


def migrations(cluster: Cluster) -> Centre:
    found = operations().filter(cluster=cluster, kind__in=MOVES)
    active = list(found.filter(state__in=ACTIVE).order_by("-priority", "id")[:PAGE])
    day = clock().now() - timedelta(hours=24)
    ended = found.filter(state__in=SETTLED, finished_at__gte=day).order_by("-finished_at", "-id")[:PAGE]
    running = [operation_row(row) for row in active if row.state != OperationState.QUEUED]
    return Centre(
        running=running,
        queued=[operation_row(row) for row in active if row.state == OperationState.QUEUED],
        finished=[operation_row(row) for row in ended],
        slots_used=Slot.objects.filter(node__cluster=cluster).count(),
        rate=sum(int(row.progress.get("rate") or 0) for row in running),
        limit=cluster.live_migrations_per_node,
    )


def task_events(operation: Operation) -> list[Event]:
    return list(told().filter(operation=operation).order_by("at", "id")[:PAGE])
