"""Which operations need a new message: the rows are the truth, messages only wake workers up."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q, QuerySet

from clustermgr.actions import leases
from clustermgr.core.states import SETTLED, OperationKind, OperationState
from clustermgr.models import Node, Operation, Slot
from clustermgr.ports import clock

#: A queued order that nobody took for this long lost its message.
STALE_S = 3.0
GOING = (OperationState.RUNNING, OperationState.CANCELLING)


def orphans() -> tuple[dict[int, str], list[int]]:
    """(operations to drive, with their kinds; clusters to admit): expired `running` rows *and* stale `queued`
    rows, and what waited for its time. Re-sending the first alone leaves rows stuck for ever when a worker
    dies holding messages.
    """
    leases.not_ahead()
    now = clock().database_now()
    free = Q(lease_owner="", due_at=None) | Q(lease_owner="", due_at__lte=now) | Q(lease_expires__lt=now)
    going = Q(state__in=GOING)
    patience = timedelta(seconds=STALE_S)
    # Whatever clock the order was written by, it does not wait for that; a message too many is harmless.
    fresh = Q(created_at__gte=now - patience, created_at__lte=now + patience)
    stale = Q(state=OperationState.QUEUED) & ~fresh
    rows = Operation.objects.filter(free & (going | stale)).values_list(
        "pk", "cluster_id", "kind", "state", "slots"
    )
    drive: dict[int, str] = {}
    clusters: dict[int, None] = {}
    for pk, cluster_id, kind, state, slot in rows:
        waits = state == OperationState.QUEUED and kind == OperationKind.LIVE_MIGRATION and slot is None
        if waits:
            clusters[cluster_id] = None
        else:
            drive[pk] = kind
    kept = Slot.objects.filter(operation__state__in=SETTLED)  # at nodes that were silent then
    clusters |= dict.fromkeys(kept.values_list("node__cluster_id", flat=True))
    return drive, list(clusters)


def heard(node: Node) -> None:
    """A node answers again: operations that gave their threads back while it was silent go on at once."""
    of_it = Q(source=node) | Q(target=node) | Q(vm__owner=node) | Q(vm__holders__node=node)
    _due_now(Operation.objects.filter(of_it, cluster=node.cluster_id))


def all_seen(cluster_id: int) -> None:
    """No node of the cluster is unknown any more: what waited for that goes on."""
    _due_now(Operation.objects.filter(cluster=cluster_id))


def _due_now(operations: QuerySet[Operation]) -> None:
    waiting = operations.filter(state__in=GOING, lease_owner="", due_at__isnull=False)
    # By their numbers: a statement that joins cannot write.
    ids = list(waiting.values_list("pk", flat=True))
    Operation.objects.filter(pk__in=ids, lease_owner="").update(due_at=clock().database_now())
