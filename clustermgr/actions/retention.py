"""The past that is not kept: ended operations, events and audit entries, a bounded number at a time.

Nothing that work under way refers to goes, and no screen shows what goes, so it takes no version.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from clustermgr.core.states import ACTIVE, SETTLED
from clustermgr.models import AuditEntry, Cluster, Event, Operation
from clustermgr.ports import clock

BATCH = 300
#: At most so many batches of each kind in one run: what is left waits for the next.
MOST = 20


def prune() -> int:
    """Remove what is older than it is kept; how many rows went. Each batch is a transaction of its own, so
    that orders come between."""
    now = clock().now()
    history = now - timedelta(days=settings.HISTORY_DAYS)
    gone = 0
    for cluster in Cluster.objects.values_list("pk", flat=True):
        gone += _emptied(_operations(cluster, history)) + _emptied(_events(cluster, history))
    return gone + _emptied(_audit(now - timedelta(days=settings.AUDIT_DAYS)))


def _operations(cluster: int, before: datetime) -> QuerySet[Any]:
    """Settled ones that hold no slot and that nothing under way is a part of."""
    rows = Operation.objects.filter(cluster=cluster, finished_at__lt=before, state__in=SETTLED)
    return rows.filter(slots=None).exclude(children__state__in=ACTIVE).order_by("finished_at")


def _events(cluster: int, before: datetime) -> QuerySet[Any]:
    """Those that caused nothing which is still under way."""
    rows = Event.objects.filter(cluster=cluster, at__lt=before)
    return rows.exclude(led_to__state__in=ACTIVE).exclude(operation__state__in=ACTIVE).order_by("at")


def _audit(before: datetime) -> QuerySet[Any]:
    return AuditEntry.objects.filter(at__lt=before).exclude(operation__state__in=ACTIVE).order_by("pk")


def _emptied(rows: QuerySet[Any]) -> int:
    gone = 0
    for _ in range(MOST):
        with transaction.atomic():
            ids = list(rows.values_list("pk", flat=True)[:BATCH])
            rows.model.objects.filter(pk__in=ids).delete()
        gone += len(ids)
        if len(ids) < BATCH:
            break
    return gone
