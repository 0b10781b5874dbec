"""Which operations need a new message: the rows are the truth, messages only wake workers up."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q

from clustermgr.core.states import OperationKind, OperationState
from clustermgr.models import Operation
from clustermgr.ports import clock

#: A queued order that nobody took for this long lost its message.
STALE_S = 3.0


def orphans() -> tuple[list[int], list[int]]:
    """(operations to drive, clusters to admit): expired `running` rows *and* stale `queued` rows.

    Re-sending the first alone leaves rows stuck for ever when a worker dies holding messages.
    """
    now = clock().database_now()
    free = Q(lease_owner="") | Q(lease_expires__lt=now)
    going = Q(state__in=[OperationState.RUNNING, OperationState.CANCELLING])
    patience = timedelta(seconds=STALE_S)
    # Whatever clock the order was written by, it does not wait for that; a message too many is harmless.
    fresh = Q(created_at__gte=now - patience, created_at__lte=now + patience)
    stale = Q(state=OperationState.QUEUED) & ~fresh
    rows = Operation.objects.filter(free & (going | stale)).values_list(
        "pk", "cluster_id", "kind", "state", "slots"
    )
    drive: dict[int, None] = {}
    clusters: dict[int, None] = {}
    for pk, cluster_id, kind, state, slot in rows:
        waits = state == OperationState.QUEUED and kind == OperationKind.LIVE_MIGRATION and slot is None
        if waits:
            clusters[cluster_id] = None
        else:
            drive[pk] = None
    return list(drive), list(clusters)
