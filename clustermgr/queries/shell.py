"""What stands around every page: the tree, the dock and the counts of one cluster. Three queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q

from clustermgr.core.states import ACTIVE, OperationState, VmState
from clustermgr.models import Cluster, Node, Vm
from clustermgr.ports import clock
from clustermgr.queries.rows import OperationRow, operation_row, operations

DOCK_ROWS = 12
RECENT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class TreeNode:
    id: int
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Dock:
    """The newest tasks: all that are active, then those that ended in the last minutes."""

    rows: list[OperationRow]
    running: int
    queued: int
    failed: int
    more: int

    @property
    def active(self) -> int:
        return self.running + self.queued


@dataclass(frozen=True, slots=True)
class Tree:
    nodes: list[TreeNode]
    roles: int
    failed_roles: int
    moves: int


def tree(cluster: Cluster, dock: Dock) -> Tree:
    nodes = Node.objects.filter(cluster=cluster).values_list("pk", "name", "state", "paused")[:100]
    counts = Vm.objects.filter(cluster=cluster).aggregate(
        roles=Count("pk"), failed=Count("pk", filter=Q(state=VmState.FAILED))
    )
    return Tree(
        nodes=[
            TreeNode(pk, name, "paused" if paused and state == "up" else state)
            for pk, name, state, paused in nodes
        ],
        roles=counts["roles"],
        failed_roles=counts["failed"],
        moves=dock.active,
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
        more=max(0, len(rows) - DOCK_ROWS),
    )


_ORDER = {OperationState.RUNNING: 0, OperationState.CANCELLING: 0, OperationState.QUEUED: 1}


def _dock_order(row: OperationRow) -> tuple[int, int]:
    place = _ORDER.get(OperationState(row.state), 2)
    return place, row.id if place < 2 else -row.id
