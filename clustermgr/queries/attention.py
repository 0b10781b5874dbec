"""What needs attention in a cluster, the worst first: hosts, roles, volumes and orders that failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q

from clustermgr.core.drift import FIELDS
from clustermgr.core.states import ACTIVE, Level, NodeState, OperationState, VmState, VolumeKind
from clustermgr.core.words import KINDS, state_word
from clustermgr.models import Cluster, Drift, Operation, Vm, VolumeAccess
from clustermgr.ports import clock
from clustermgr.queries.ages import UNKNOWN, age_of, heard_at
from clustermgr.queries.claims import unclaimed
from clustermgr.queries.rows import NodeRow

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


def attention(cluster: Cluster, nodes: list[NodeRow], unwatched: Mapping[int, int]) -> list[Attention]:
    """Everything there is to look at. `nodes` are the cluster's and `unwatched` says how many of a node's
    roles are unmonitored, both as the page has them already."""
    found = [*_stood_down(cluster), *_unheard(cluster, nodes), *(_unclaimed(cluster) if nodes else ())]
    found += [*_nodes(nodes, unwatched), *_volumes(cluster), *_roles(cluster), *_failed_moves(cluster)]
    return sorted(found, key=lambda each: (_RANK[Level(each.level)], each.since is None, each.since))


_RANK = {Level.CRITICAL: 0, Level.ERROR: 1, Level.WARNING: 2, Level.INFO: 3}


def _stood_down(cluster: Cluster) -> list[Attention]:
    if cluster.stood_down_at is None:
        return []
    text, since = f"{cluster.name} stands down and takes no orders", cluster.stood_down_at
    detail = cluster.stood_down_reason
    return [Attention(Level.CRITICAL, text, detail, since, "management", ref=None, button="Open management")]


def _unheard(cluster: Cluster, nodes: list[NodeRow]) -> list[Attention]:
    """While nobody looks at the hosts, nothing here may say that all is well."""
    last = heard_at(cluster)
    if not nodes or (last is not None and age_of(last) != UNKNOWN):
        return []
    level, text = Level.WARNING, "The hosts are not being watched"
    detail = "States are those last seen. Start the watch process."
    if last is None:
        level, text = Level.INFO, "The hosts have not been looked at yet"
        detail = "What is shown was read when they were added. The first look takes some seconds."
    return [Attention(level, text, detail, last, view="nodes", ref=None, button="Open nodes")]


def _unclaimed(cluster: Cluster) -> list[Attention]:
    claim = unclaimed(cluster)
    if claim is None or cluster.stood_down_at is not None:
        return []
    text = "A second copy of this manager would not be noticed"
    return [Attention(Level.WARNING, text, claim.reason, claim.since, "storage", None, "Open storage")]


def _nodes(rows: list[NodeRow], unwatched: Mapping[int, int]) -> Iterator[Attention]:
    """One thing for each node, with the roles that are unmonitored because of it: they are not told again."""
    for row in rows:
        roles = unwatched.get(row.id, 0)
        told = f"{roles} role{' is' if roles == 1 else 's are'} unmonitored"
        text = f"{row.name} is {state_word(row.state)}"
        detail = f"{row.state_reason} {told}." if roles else row.state_reason
        if row.state in _BAD_NODES:
            level = _BAD_NODES[NodeState(row.state)]
        elif roles:
            level, text, detail = Level.WARNING, f"{told} on {row.name}", f"{text}. {row.state_reason}"
        else:
            continue
        yield Attention(level, text, detail.strip(), row.state_since, "node", row.id, "Open node")


_BAD_NODES = {
    NodeState.JOINING: Level.INFO,
    NodeState.DOWN: Level.ERROR,
    NodeState.AGENT_DOWN: Level.ERROR,
    NodeState.ISOLATED: Level.WARNING,
    NodeState.QUARANTINED: Level.WARNING,
}


def _roles(cluster: Cluster) -> list[Attention]:
    """What is wrong with roles: their state, or a configuration that drifted; one query for both."""
    # By their ids from two indexes: joined with “or”, all the thousands that are well would be looked at.
    bad = Vm.objects.filter(cluster=cluster, state__in=_BAD_ROLES).order_by().values("pk")
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


#: Unmonitored ones are told with their node.
_BAD_ROLES = (VmState.FAILED, VmState.PAUSED_CRITICAL)


def _bad_role(row: Vm) -> Attention:
    state = VmState(row.state)
    word = "has failed" if state == VmState.FAILED else f"is {state_word(state)}"
    return Attention(
        level=Level.ERROR,
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
    """A CSV must be reached by every node, a cluster disk by its owner alone."""
    must = Q(volume__kind=VolumeKind.CSV) | Q(volume__owner=F("node"))
    blind = VolumeAccess.objects.filter(must, volume__cluster=cluster, reachable=False)
    return [
        Attention(
            level=Level.WARNING,
            text=f"{row.node.name} does not reach {_CALLED[VolumeKind(row.volume.kind)]} {row.volume.name}",
            detail="Roles on it cannot run there.",
            since=row.observed_at,
            view="storage",
            ref=None,
            button="Open storage",
        )
        for row in blind.exclude(node__state=NodeState.DOWN).select_related("node", "volume")[:SHOWN]
    ]


_CALLED = {VolumeKind.CSV: "the volume", VolumeKind.DISK: "its cluster disk"}


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
