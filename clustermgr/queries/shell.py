"""What stands around every page: the cluster with its counts, the tree and the dock. Three queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from clustermgr.core.states import ACTIVE, OperationKind, OperationState, VmState
from clustermgr.models import Cluster, Node, Vm
from clustermgr.ports import clock
from clustermgr.queries.ages import NodeSight, heard_at, seen
from clustermgr.queries.rows import OperationRow, operation_row, operations

MOVES = (OperationKind.LIVE_MIGRATION, OperationKind.QUICK_MIGRATION, OperationKind.MOVE)
DOCK_ROWS = 12
RECENT = timedelta(minutes=10)
TAKEN_WITHIN = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class TreeNode(NodeSight):
    id: int
    name: str
    state: str
    paused: bool
    age: str


@dataclass(frozen=True, slots=True)
class Dock:
    """The newest tasks: all that are active, then those that ended in the last minutes."""

    rows: list[OperationRow]
    running: int
    queued: int
    failed: int
    more: int
    moves: int
    untaken: bool  # an order waits for a worker without any reason

    @property
    def active(self) -> int:
        return self.running + self.queued


@dataclass(frozen=True, slots=True)
class Tree:
    nodes: list[TreeNode]
    roles: int
    failed_roles: int
    moves: int


def cluster_by_slug(slug: str) -> Cluster | None:
    """The cluster with its watch and, for the tree, `role_count` and `failed_count`."""
    roles = Vm.objects.filter(cluster=OuterRef("pk")).order_by().values("cluster").annotate(n=Count("pk"))
    failed = roles.filter(state=VmState.FAILED)
    counts = {"role_count": roles, "failed_count": failed}
    found = Cluster.objects.select_related("watch", "claim").annotate(
        **{name: Coalesce(Subquery(rows.values("n")), 0) for name, rows in counts.items()}
    )
    return found.filter(slug=slug).first()


def tree(cluster: Any, dock: Dock) -> Tree:
    nodes = Node.objects.filter(cluster=cluster).only("name", "state", "paused", "observed_at")[:100]
    heard = heard_at(cluster)
    return Tree(
        nodes=[TreeNode(row.pk, row.name, row.state, row.paused, seen(row, heard)[1]) for row in nodes],
        roles=cluster.role_count,
        failed_roles=cluster.failed_count,
        moves=dock.moves,
    )


def dock(cluster: Cluster) -> Dock:
    since = clock().now() - RECENT
    found = (
        operations()
        .filter(Q(state__in=ACTIVE) | Q(finished_at__gte=since), cluster=cluster)
        .order_by("-id")[:200]
    )
    rows = sorted(map(operation_row, found), key=_dock_order)
    states = [row.state for row in rows]
    queued = states.count(OperationState.QUEUED)
    active = sum(row.active for row in rows)
    return Dock(
        rows=rows[:DOCK_ROWS],
        running=active - queued,
        queued=queued,
        failed=states.count(OperationState.FAILED),
        moves=sum(row.active and row.kind in MOVES for row in rows),
        more=max(0, len(rows) - DOCK_ROWS),
        untaken=any(_untaken(row) for row in rows),
    )


def _untaken(row: OperationRow) -> bool:
    waits = row.state == OperationState.QUEUED and not row.wait_reason
    return waits and clock().now() - row.created_at > TAKEN_WITHIN


_ORDER = {OperationState.RUNNING: 0, OperationState.CANCELLING: 0, OperationState.QUEUED: 1}


def _dock_order(row: OperationRow) -> tuple[int, int]:
    place = _ORDER.get(OperationState(row.state), 2)
    return place, row.id if place < 2 else -row.id
