"""Counts what operations came to, in the transaction that settles them. Who reads: queries.metrics."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F

from clustermgr.core.tallies import duration_class
from clustermgr.models import Operation, OperationTally


def count(operations: Iterable[Operation]) -> None:
    """Add each settled operation to its class. Rows are taken in one order, so that no two wait in a ring."""
    for key, seconds in sorted((_key(each), _seconds(each) or 0.0) for each in operations):
        columns = dict(zip(("cluster_id", "kind", "outcome", "within_s"), key, strict=True))
        rows = OperationTally.objects.filter(**columns)
        more = {"number": F("number") + 1, "seconds": F("seconds") + seconds}
        if not rows.update(**more):
            OperationTally.objects.bulk_create([OperationTally(**columns)], ignore_conflicts=True)
            rows.update(**more)


def _key(operation: Operation) -> tuple[int, str, str, str]:
    within = duration_class(_seconds(operation))
    return operation.cluster_id, str(operation.kind), str(operation.state), within


def _seconds(operation: Operation) -> float | None:
    """None when it ended before it began."""
    if operation.started_at is None or operation.finished_at is None:
        return None
    return max(0.0, (operation.finished_at - operation.started_at).total_seconds())
