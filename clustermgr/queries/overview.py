"""The overview: counters, what needs attention (worst first), nodes and the newest events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count, Exists, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from clustermgr.core.drift import FIELDS
from clustermgr.core.states import ACTIVE, Level, NodeState, OperationState, VmState
from clustermgr.core.words import KINDS, memory, state_word
from clustermgr.models import Cluster, Drift, Event, Node, Operation, Vm, VolumeAccess
from clustermgr.ports import clock
from clustermgr.queries.rows import OLD_S, NodeRow, heard_at, listed_nodes, node_rows_of, told

SHOWN = 12
DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing to do: how bad, since when, what, and which page helps."""

    level: str
    text: str
    detail: str
    since: datetime | None
    view: str  # the name of a page, and which of its objects
    ref: int | None
    button: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is left if the largest node fails. MiB."""

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
        return node_rows_of(listed_nodes().filter(cluster=self._cluster)[:100])

    @cached_property
    def _states(self) -> list[tuple[str, int, int]]:
        """(state, how many roles, their memory in MiB)"""
        states = Vm.objects.filter(cluster=self._cluster).order_by().values_list("state")
        return list(states.annotate(n=Count("pk"), mib=Sum("memory_mib")))

    @cached_property
    def _attention(self) -> list[Attention]:
        here = self._cluster
        hosts = [*_stood_down(here), *_unheard(here), *_nodes(self.nodes), *_volumes(here)]
        found = [*hosts, *_roles(here), *_failed_moves(here)]
        return sorted(found, key=lambda each: (_RANK[Level(each.level)], each.since is None, each.since))

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
            "bad": sum(row.state not in (NodeState.UP, NodeState.JOINING) for row in self.nodes),
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
        return "warn" if levels else "ok"


def clusters() -> list[Any]:
    """Counted one by one: joining the nodes with the VMs would make half a million rows of 64 and 8,000."""
    return list(
        Cluster.objects.annotate(
            node_count=_counted(Node.objects),
            up_count=_counted(Node.objects.filter(state=NodeState.UP)),
            vm_count=_counted(Vm.objects),
            failed_count=_counted(Vm.objects.filter(state=VmState.FAILED)),
        ).order_by("name")[:100]
    )


def _counted(rows: Any) -> Coalesce:
    """How many of these rows a cluster has."""
    found = rows.filter(cluster=OuterRef("pk")).order_by().values("cluster")
    return Coalesce(Subquery(found.annotate(n=Count("pk")).values("n")), 0)


def overview(cluster: Cluster) -> Overview:
    return Overview(cluster)


_LIVE = (VmState.RUNNING, VmState.PAUSED, VmState.MIGRATING, VmState.STARTING, VmState.SAVING)
_RANK = {Level.CRITICAL: 0, Level.ERROR: 1, Level.WARNING: 2, Level.INFO: 3}


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


def _stood_down(cluster: Cluster) -> list[Attention]:
    if cluster.stood_down_at is None:
        return []
    text, since = f"{cluster.name} stands down and takes no orders", cluster.stood_down_at
    detail = cluster.stood_down_reason
    return [Attention(Level.CRITICAL, text, detail, since, "management", ref=None, button="Open management")]


def _unheard(cluster: Cluster) -> list[Attention]:
    """While nobody looks at the hosts, nothing here may say that all is well."""
    last = heard_at(cluster)
    if last is None or clock().now() - last < timedelta(seconds=OLD_S):
        return []
    text, detail = "The hosts are not being watched", "States are those last seen. Start the watch process."
    return [Attention(Level.WARNING, text, detail, last, view="nodes", ref=None, button="Open nodes")]


def _nodes(rows: list[NodeRow]) -> list[Attention]:
    bad = {NodeState.DOWN: Level.ERROR, NodeState.AGENT_DOWN: Level.ERROR, NodeState.ISOLATED: Level.WARNING}
    return [
        Attention(
            level=bad.get(NodeState(row.state), Level.WARNING),
            text=f"{row.name} is {state_word(row.state)}",
            detail=row.state_reason or f"{row.roles} roles are on it.",
            since=row.state_since,
            view="node",
            ref=row.id,
            button="Open node",
        )
        for row in rows
        if row.state not in (NodeState.UP, NodeState.PAUSED, NodeState.JOINING)
    ]


def _roles(cluster: Cluster) -> list[Attention]:
    """What is wrong with roles: their state, or a configuration that drifted; one query for both."""
    # By their ids from two indexes: joined with “or”, all the thousands that are well would be looked at.
    bad = Vm.objects.filter(cluster=cluster, state__in=list(_BAD_ROLES)).order_by().values("pk")
    drifted = Drift.objects.filter(vm__cluster=cluster).order_by().values("vm")
    rows = Vm.objects.filter(pk__in=bad.union(drifted)).select_related("drift").order_by("state_since")
    columns = ("name", "state", "state_since", "state_reason", "drift__fields", "drift__found_at")
    items = []
    for row in rows.only(*columns)[: 2 * SHOWN]:
        if row.state in _BAD_ROLES:
            items.append(_bad_role(row))
        if hasattr(row, "drift"):
            items.append(_drifted(row))
    return items


_BAD_ROLES = {
    VmState.FAILED: Level.ERROR,
    VmState.PAUSED_CRITICAL: Level.ERROR,
    VmState.UNMONITORED: Level.WARNING,
}


def _bad_role(row: Vm) -> Attention:
    state = VmState(row.state)
    word = "has failed" if state == VmState.FAILED else f"is {state_word(state)}"
    return Attention(
        level=_BAD_ROLES[state],
        text=f"{row.name} {word}",
        detail=row.state_reason,
        since=row.state_since,
        view="role",
        ref=row.pk,
        button="Open role",
    )


def _drifted(row: Vm) -> Attention:
    return Attention(
        level=Level.WARNING,
        text=f"The configuration of {row.name} differs from its host's",
        detail=", ".join(FIELDS.get(str(each.get("field")), "?") for each in row.drift.fields),
        since=row.drift.found_at,
        view="refresh",
        ref=row.pk,
        button="Compare",
    )


def _volumes(cluster: Cluster) -> list[Attention]:
    blind = VolumeAccess.objects.filter(volume__cluster=cluster, reachable=False)
    return [
        Attention(
            level=Level.WARNING,
            text=f"{row.node.name} does not reach the volume {row.volume.name}",
            detail="Roles on it cannot run there.",
            since=row.observed_at,
            view="storage",
            ref=None,
            button="Open storage",
        )
        for row in blind.exclude(node__state=NodeState.DOWN).select_related("node", "volume")[:SHOWN]
    ]


def _failed_moves(cluster: Cluster) -> list[Attention]:
    """Orders that failed in the last day, unless a later order on the same role has ended since."""
    since = clock().now() - DAY
    later = Operation.objects.filter(vm=OuterRef("vm"), pk__gt=OuterRef("pk")).exclude(
        state__in=[OperationState.CANCELLED, *ACTIVE]
    )
    found = Operation.objects.filter(cluster=cluster, state=OperationState.FAILED, finished_at__gte=since)
    found = found.filter(~Exists(later), vm__isnull=False).select_related("vm").order_by("-id")
    return [
        Attention(
            level=Level.WARNING,
            text=f"{KINDS[row.kind]} of {row.vm.name} failed",
            detail=row.outcome,
            since=row.finished_at,
            view="task",
            ref=row.pk,
            button="Show task",
        )
        for row in found.only("kind", "outcome", "finished_at", "vm__name")[:SHOWN]
    ]
