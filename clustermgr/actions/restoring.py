"""What follows from putting a database back: nothing in it is known to be true of now.

Runs in the transaction of the restore, while no other process works, so there is no news to send.
"""

from __future__ import annotations

from django.db.models import F

from clustermgr.core.states import ACTIVE, Level, NodeState, OperationState, Phase, VmState
from clustermgr.core.words import KINDS
from clustermgr.models import Claim, Cluster, Event, Node, Operation, Slot, Vm, WatchShard
from clustermgr.ports import clock

OUTCOME = "Unknown after restore: the database was put back while this was under way."
ADVICE = "Look at the virtual machine on its hosts; the watch shows it as it is."


def settle_the_past(made_at: str) -> int:
    """Active operations end as unknown, their holders stay; leases are gone; every cluster stands down. Until
    it was looked at, each node may run each machine (actions.first_looks). Answers how many operations there
    were."""
    now = clock().now()
    found = list(Operation.objects.filter(state__in=ACTIVE).select_related("vm"))
    for operation in found:
        _close(operation)
    Slot.objects.all().delete()
    Operation.objects.update(lease_owner="", lease_expires=None)
    Claim.objects.all().delete()  # whatever is claimed now was not claimed by this database
    WatchShard.objects.update(lease_owner="", lease_expires=None, heard_at=None, sent_at=None)
    _nothing_is_known()
    reason = f"It was restored from a backup of {made_at}. What happened since then is not known here."
    for cluster in Cluster.objects.all():
        Event.objects.create(
            cluster=cluster, at=now, level=Level.CRITICAL, code="restored", params={"reason": reason}
        )
    Cluster.objects.update(
        stood_down_at=now, stood_down_reason=reason, stood_down_by="", version=F("version") + 1
    )
    return len(found)


def _nothing_is_known() -> None:
    """Where machines went since the backup was made nobody told this database."""
    now = clock().now()
    Node.objects.update(restored_at=now, state=NodeState.JOINING, state_since=now, state_reason="")
    Vm.objects.update(
        state=VmState.UNMONITORED,
        state_since=now,
        state_reason="Not looked at since the database was put back.",
        observed_at=now,
        cpu_percent=None,
        memory_used_mib=None,
    )


def _close(operation: Operation) -> None:
    now = clock().now()
    Operation.objects.filter(pk=operation.pk).update(
        state=OperationState.FAILED,
        phase=Phase.DONE,
        outcome=OUTCOME,
        advice=ADVICE,
        wait_reason="",
        finished_at=now,
    )
    Event.objects.create(
        cluster_id=operation.cluster_id,
        at=now,
        level=Level.WARNING,
        code="order_failed",
        params={"what": KINDS[operation.kind], "vm": operation.vm.name, "reason": OUTCOME},
        vm=operation.vm,
        operation=operation,
    )


def at_work() -> str:
    """Which process works on this database now, by its lease, or nothing."""
    now = clock().database_now()
    if WatchShard.objects.filter(lease_expires__gt=now).exists():
        return "A watch process"
    if Operation.objects.filter(lease_expires__gt=now).exclude(lease_owner="").exists():
        return "A worker"
    return ""
