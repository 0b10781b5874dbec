"""Figures of all clusters for the metrics page: six queries whatever their size, the same in each process."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Sum

from clustermgr.core.states import ACTIVE, NodeState, OperationState
from clustermgr.models import Cluster, Node, Operation, OperationTally, Slot, Vm
from clustermgr.ports import clock


@dataclass(slots=True)
class Took:
    """Operations of one kind that began and ended: how many by class of duration, and their seconds."""

    within: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(slots=True)
class Figures:
    """One cluster. Keys: state of nodes and VMs, (kind, state) of work, (kind, outcome) of ended work."""

    name: str
    silence_s: float
    slots_per_node: int
    slots_taken: int = 0
    oldest_queued_s: float = 0.0
    nodes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    vms: dict[str, int] = field(default_factory=dict)
    active: dict[tuple[str, str], int] = field(default_factory=dict)
    ended: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    took: dict[str, Took] = field(default_factory=lambda: defaultdict(Took))

    @property
    def slots(self) -> int:
        return self.slots_per_node * sum(self.nodes.values())


def figures() -> list[Figures]:
    """Every cluster by slug."""
    found = _clusters()
    _count_nodes(found)
    for cluster, state, number in _counted(Vm, "state"):
        found[cluster].vms[state] = number
    _count_active(found)
    for cluster, number in Slot.objects.values_list("node__cluster").annotate(Count("pk")).order_by():
        found[cluster].slots_taken = number
    _count_ended(found)
    return list(found.values())


def _clusters() -> defaultdict[int, Figures]:
    now = clock().now()
    # A cluster that was made a moment ago, between two queries, is left to the next look.
    found: defaultdict[int, Figures] = defaultdict(lambda: Figures("", 0.0, 0))
    columns = ("pk", "slug", "live_migrations_per_node", "watch__heard_at", "created_at")
    for pk, slug, slots, heard, created in Cluster.objects.order_by("slug").values_list(*columns):
        found[pk] = Figures(slug, _age(heard or created, now), slots)
    return found


def _count_nodes(found: defaultdict[int, Figures]) -> None:
    for cluster, state, paused, number in _counted(Node, "state", "paused"):
        word = NodeState.PAUSED if paused and state == NodeState.UP else state
        found[cluster].nodes[word] += number


def _count_active(found: defaultdict[int, Figures]) -> None:
    now = clock().now()
    rows = Operation.objects.filter(state__in=[str(state) for state in ACTIVE]).order_by()
    grouped = rows.values_list("cluster", "kind", "state").annotate(Count("pk"), Min("created_at"))
    for cluster, kind, state, number, oldest in grouped:
        figures = found[cluster]
        figures.active[kind, state] = number
        if state == OperationState.QUEUED:
            figures.oldest_queued_s = max(figures.oldest_queued_s, _age(oldest, now))


def _count_ended(found: defaultdict[int, Figures]) -> None:
    rows = OperationTally.objects.order_by().values_list("cluster", "kind", "outcome", "within_s")
    for cluster, kind, outcome, within, number, seconds in rows.annotate(Sum("number"), Sum("seconds")):
        figures = found[cluster]
        figures.ended[kind, outcome] += number
        if within:
            took = figures.took[kind]
            took.within[within] = took.within.get(within, 0) + number
            took.seconds += seconds


def _counted(model: Any, *columns: str) -> Any:
    """(cluster, *columns, number) for each group of rows."""
    return model.objects.order_by().values_list("cluster", *columns).annotate(Count("pk"))


def _age(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
