"""The overview: counters, capacity, nodes and the newest events; what needs attention is in attention.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Count, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from clustermgr.core.states import Level, NodeState, VmState
from clustermgr.core.words import memory
from clustermgr.models import Cluster, Event, Node, Vm
from clustermgr.queries.ages import UNKNOWN, age_of, heard_at
from clustermgr.queries.attention import SHOWN, Attention, attention
from clustermgr.queries.rows import NodeRow, listed_nodes, node_rows_of, roles_on_it, told


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is assigned to running roles, and what is left if the largest node fails. MiB.

    Not what the hosts use: they have work of their own, and a guest seldom uses all that it was given.
    """

    committed: int
    total: int
    after: int
    largest: str

    @property
    def percent(self) -> float:
        return 100.0 * self.committed / self.total if self.total else 0.0

    @property
    def percent_after(self) -> float:
        return 100.0 * self.committed / self.after if self.after else 999.0

    @property
    def text(self) -> str:
        return f"{memory(self.committed)} of {memory(self.total)}"


class Overview:
    """Each part is queried when it is first asked for: a region of the page needs few of them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @cached_property
    def nodes(self) -> list[NodeRow]:
        return node_rows_of(self._listed)

    @cached_property
    def _listed(self) -> list[Any]:
        unwatched = roles_on_it(state=VmState.UNMONITORED)
        return list(listed_nodes().filter(cluster=self._cluster).annotate(unwatched=unwatched)[:100])

    @cached_property
    def _states(self) -> list[tuple[str, int, int]]:
        """(state, how many roles, their memory in MiB)"""
        states = Vm.objects.filter(cluster=self._cluster).order_by().values_list("state")
        return list(states.annotate(n=Count("pk"), mib=Sum("memory_mib")))

    @cached_property
    def _attention(self) -> list[Attention]:
        unwatched = {row.pk: row.unwatched for row in self._listed}
        return attention(self._cluster, self.nodes, unwatched)

    @property
    def attention(self) -> list[Attention]:
        return self._attention[:SHOWN]

    @property
    def more(self) -> int:
        return max(0, len(self._attention) - SHOWN)

    @cached_property
    def counts(self) -> dict[str, int]:
        counts = {state: n for state, n, _ in self._states}
        return {"total": sum(counts.values()), **_grouped(counts)}

    @cached_property
    def node_counts(self) -> dict[str, int]:
        return {
            "up": sum(row.shown_state == NodeState.UP for row in self.nodes),
            "paused": sum(row.shown_state == NodeState.PAUSED for row in self.nodes),
            "joining": sum(row.state == NodeState.JOINING for row in self.nodes),
            "bad": sum(row.state not in (NodeState.UP, NodeState.JOINING) for row in self.nodes),
            "last_known": sum(row.last_known for row in self.nodes),
            "total": len(self.nodes),
        }

    @cached_property
    def capacity(self) -> Capacity | None:
        return _capacity(self.nodes, sum(mib for state, _, mib in self._states if state in _LIVE))

    @cached_property
    def events(self) -> list[Event]:
        return list(told().filter(cluster=self._cluster)[:10])

    @property
    def checked_at(self) -> datetime | None:
        return heard_at(self._cluster)

    @property
    def health(self) -> str:
        levels = {each.level for each in self.attention}
        if Level.CRITICAL in levels or Level.ERROR in levels:
            return "err"
        if Level.WARNING in levels:
            return "warn"
        return "move" if levels else "ok"


def clusters() -> list[Any]:
    """Counted one by one: joining the nodes with the VMs would make half a million rows of 64 and 8,000."""
    rows = list(
        Cluster.objects.select_related("watch")
        .annotate(
            node_count=_counted(Node.objects),
            up_count=_counted(Node.objects.filter(state=NodeState.UP)),
            vm_count=_counted(Vm.objects),
            failed_count=_counted(Vm.objects.filter(state=VmState.FAILED)),
        )
        .order_by("name")[:100]
    )
    for row in rows:
        row.heard_at = heard_at(row)
        row.last_known = age_of(row.heard_at) == UNKNOWN
    return rows


def _counted(rows: Any) -> Coalesce:
    """How many of these rows a cluster has."""
    found = rows.filter(cluster=OuterRef("pk")).order_by().values("cluster")
    return Coalesce(Subquery(found.annotate(n=Count("pk")).values("n")), 0)


def overview(cluster: Cluster) -> Overview:
    return Overview(cluster)


_LIVE = (VmState.RUNNING, VmState.PAUSED, VmState.MIGRATING, VmState.STARTING, VmState.SAVING)


def _grouped(counts: dict[str, int]) -> dict[str, int]:
    off = counts.get(VmState.OFF, 0) + counts.get(VmState.SAVED, 0)
    failed = counts.get(VmState.FAILED, 0)
    running = sum(counts.get(state, 0) for state in (VmState.RUNNING, VmState.MIGRATING))
    return {
        "running": running,
        "off": off,
        "failed": failed,
        "other": sum(counts.values()) - off - failed - running,
    }


def _capacity(rows: list[NodeRow], committed: int) -> Capacity | None:
    up = [row for row in rows if row.state == NodeState.UP]
    if not up:
        return None
    largest = max(up, key=lambda row: row.memory_mib)
    total = sum(row.memory_mib for row in up)
    return Capacity(committed, total, total - largest.memory_mib, largest.name)
