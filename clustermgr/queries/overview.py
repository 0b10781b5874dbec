"""The overview: counters, what needs attention (worst first), nodes and the newest events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, Sum

from clustermgr.core.drift import FIELDS
from clustermgr.core.states import ACTIVE, Level, NodeState, OperationState, VmState
from clustermgr.core.words import KINDS, memory, state_word
from clustermgr.models import Cluster, Event, Operation, Vm, VolumeAccess
from clustermgr.ports import clock
from clustermgr.queries.rows import OLD_S, NodeRow, heard_at, node_rows_of, nodes

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


@dataclass(frozen=True, slots=True)
class Overview:
    nodes: list[NodeRow]
    attention: list[Attention]
    more: int
    counts: dict[str, int]
    node_counts: dict[str, int]
    capacity: Capacity | None
    events: list[Event]
    checked_at: datetime | None

    @property
    def health(self) -> str:
        levels = {each.level for each in self.attention}
        if Level.CRITICAL in levels or Level.ERROR in levels:
            return "err"
        return "warn" if levels else "ok"


def clusters() -> list[Any]:
    return list(
        Cluster.objects.annotate(
            node_count=Count("nodes", distinct=True),
            up_count=Count("nodes", filter=Q(nodes__state=NodeState.UP), distinct=True),
            vm_count=Count("vms", distinct=True),
            failed_count=Count("vms", filter=Q(vms__state=VmState.FAILED), distinct=True),
        ).order_by("name")[:100]
    )


def overview(cluster: Cluster) -> Overview:
    rows = node_rows_of(nodes().filter(cluster=cluster)[:100])
    states = Vm.objects.filter(cluster=cluster).order_by().values_list("state")
    found_states = list(states.annotate(n=Count("pk"), mib=Sum("memory_mib")))
    counts = {state: n for state, n, _ in found_states}
    committed = sum(mib for state, _, mib in found_states if state in _LIVE)
    found = [*_unheard(cluster), *_nodes(rows), *_roles(cluster), *_volumes(cluster), *_failed_moves(cluster)]
    found.sort(key=lambda each: (_RANK[Level(each.level)], each.since is None, each.since))
    return Overview(
        nodes=rows,
        attention=found[:SHOWN],
        more=max(0, len(found) - SHOWN),
        counts={"total": sum(counts.values()), **_grouped(counts)},
        node_counts={
            "up": sum(row.shown_state == NodeState.UP for row in rows),
            "paused": sum(row.shown_state == NodeState.PAUSED for row in rows),
            "bad": sum(row.state not in (NodeState.UP, NodeState.JOINING) for row in rows),
            "total": len(rows),
        },
        capacity=_capacity(rows, committed),
        events=list(Event.objects.filter(cluster=cluster).select_related("vm", "node", "operation")[:10]),
        checked_at=heard_at(cluster),
    )


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
    wrong = Q(state__in=list(_BAD_ROLES)) | Q(drift__isnull=False)
    rows = Vm.objects.filter(wrong, cluster=cluster).select_related("drift").order_by("state_since")
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
    found = found.filter(~Exists(later)).select_related("vm").order_by("-id")
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
