"""Figures in Prometheus' words: names, labels, help. Asks nobody; docs/monitoring.md lists the same names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from clustermgr import meters
from clustermgr.core.states import SETTLED, NodeState, OperationKind, OperationState, VmState
from clustermgr.core.tallies import BOUNDS_S, LONGER
from clustermgr.queries.metrics import Figures, Took

CLASSES = (*map(str, BOUNDS_S), LONGER)
WAITING = (OperationState.QUEUED, OperationState.RUNNING, OperationState.CANCELLING)


class Exposition:
    """What one scrape tells. `clusters` is None when the database did not answer."""

    def __init__(self, clusters: Sequence[Figures] | None) -> None:
        self.clusters = clusters

    def collect(self) -> Iterator[Metric]:
        yield from _process()
        yield from meters.REGISTRY.collect()
        up = GaugeMetricFamily(
            "clustermgr_database_up", "1 when the database answered this scrape.", labels=["process"]
        )
        up.add_metric([meters.PROCESS], 0.0 if self.clusters is None else 1.0)
        yield up
        if self.clusters is not None:
            yield from _states(self.clusters)
            yield from _scalars(self.clusters)
            yield _ended(self.clusters)
            yield _durations(self.clusters)


def _process() -> Iterator[Metric]:
    """The library's own process metrics, with the label that tells several web processes apart."""
    for family in ProcessCollector(registry=None).collect():
        labels = {"process": meters.PROCESS}
        family.samples = [sample._replace(labels=labels) for sample in family.samples]
        yield family


def _states(clusters: Sequence[Figures]) -> Iterator[Metric]:
    nodes = GaugeMetricFamily("clustermgr_nodes", "Nodes by state.", labels=["cluster", "state"])
    vms = GaugeMetricFamily("clustermgr_vms", "Virtual machines by state.", labels=["cluster", "state"])
    active = GaugeMetricFamily(
        "clustermgr_operations_active",
        "Operations that have not ended.",
        labels=["cluster", "kind", "state"],
    )
    for each in clusters:
        _every(nodes, each.name, NodeState, each.nodes)
        _every(vms, each.name, VmState, each.vms)
        for kind in OperationKind:
            for state in WAITING:
                active.add_metric([each.name, kind, state], each.active.get((kind, state), 0))
    yield from (nodes, vms, active)


def _every(family: Any, cluster: str, states: Iterable[str], numbers: Mapping[str, int]) -> None:
    """Also the states that nobody is in: an alert must not depend on a series that comes and goes."""
    for state in states:
        family.add_metric([cluster, state], numbers.get(state, 0))


def _scalars(clusters: Sequence[Figures]) -> Iterator[Metric]:
    for name, text, value in SCALARS:
        family = GaugeMetricFamily(name, text, labels=["cluster"])
        for each in clusters:
            family.add_metric([each.name], value(each))
        yield family


SCALARS: tuple[tuple[str, str, Any], ...] = (
    (
        "clustermgr_oldest_queued_operation_seconds",
        "Age of the operation that has waited longest; 0 when none waits.",
        lambda each: each.oldest_queued_s,
    ),
    (
        "clustermgr_migration_slots",
        "Places for live migrations: nodes times the cluster's setting.",
        lambda each: each.slots,
    ),
    (
        "clustermgr_migration_slots_in_use",
        "Places that live migrations hold; each holds one at both its nodes.",
        lambda each: each.slots_taken,
    ),
    (
        "clustermgr_watch_silence_seconds",
        "Time since the watch last said that it looks at this cluster.",
        lambda each: each.silence_s,
    ),
)


def _ended(clusters: Sequence[Figures]) -> Metric:
    family = CounterMetricFamily(
        "clustermgr_operations",
        "Operations that have ended, by kind and outcome.",
        labels=["cluster", "kind", "outcome"],
    )
    for each in clusters:
        for kind in OperationKind:
            for outcome in SETTLED:
                family.add_metric([each.name, kind, outcome], each.ended.get((kind, outcome), 0))
    return family


def _durations(clusters: Sequence[Figures]) -> Metric:
    family = HistogramMetricFamily(
        "clustermgr_operation_duration_seconds",
        "From the begin to the end of operations that began, whatever their outcome.",
        labels=["cluster", "kind"],
    )
    for each in clusters:
        for kind in OperationKind:
            took = each.took.get(kind) or Took()
            numbers = accumulate(took.within.get(name, 0) for name in CLASSES)
            family.add_metric([each.name, kind], list(zip(CLASSES, numbers, strict=True)), took.seconds)
    return family
