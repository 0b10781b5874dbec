"""What the one owner of an operation may write: claim, renew, next step, holders, settlement.

Every write is fenced by the lease: a worker that lost it changes nothing (safety.md 3).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import Q

from clustermgr import notices
from clustermgr.access import CLUSTER
from clustermgr.actions import claims
from clustermgr.actions._ledger import Change, change
from clustermgr.actions.operations import ADMIT, URGENT, cancel_unbegun
from clustermgr.actions.seen_vms import at_another_host
from clustermgr.core.progress import ended
from clustermgr.core.states import ACTIVE, Level, OperationKind, OperationState, Phase
from clustermgr.core.words import KINDS
from clustermgr.models import Holder, Node, Operation, Slot, Vm
from clustermgr.ports import clock

LEASE_S = 20.0
#: A mutating call is made only with this much of the lease left: its deadline (5 s) and 5 s more.
CALL_NEEDS_S = 10.0
#: A call is made so long before the lease ends, at the latest: its deadline has passed when another looks.
SPARE_S = 5.0
#: An operation that waits is looked at again after this, at the latest.
LONGEST_WAIT_S = 60.0


class LeaseLost(Exception):
    """Another worker owns the operation now, or it was settled: stop, and touch nothing."""


def claim(operation_id: int, owner: str) -> bool:
    """Take an operation; False when somebody owns it, when a live migration has no slots yet, or while its
    cluster waits for the claim of its session: where a copy starts, the order may be of long ago."""
    now = clock().database_now()
    operation = Operation.objects.select_related("cluster", "vm", "source", "target").get(pk=operation_id)
    if operation.kind == OperationKind.LIVE_MIGRATION and not operation.slots.exists():
        return False
    if claims.unsettled(operation.cluster_id):
        _waits(operation)
        return False
    with change(operation.cluster_id) as tx:
        taken = Operation.objects.filter(
            Q(lease_owner="") | Q(lease_expires__lt=now), pk=operation_id, state__in=ACTIVE
        ).update(lease_owner=owner, lease_expires=now + timedelta(seconds=LEASE_S))
        if not taken:
            return False
        operation.refresh_from_db()
        if operation.state == OperationState.QUEUED and operation.cluster.stood_down_at is not None:
            outcome = f"Cancelled before it began: {operation.cluster} stood down."
            cancel_unbegun(tx, CLUSTER, operation, outcome)
            return False
        if operation.state == OperationState.QUEUED:
            begun = {"started_at": tx.now, "phase": Phase.PREPARING, "wait_reason": ""}
            tx.advance(operation, to=OperationState.RUNNING, **begun)
            tx.touch(operation.vm)
            _began(tx, operation)
    return True


def _waits(operation: Operation) -> None:
    """It is sent again when the claim is settled, and by the reaper."""
    reason = f"{operation.cluster} makes sure first that no other copy of its manager is at work"
    if operation.wait_reason != reason and operation.cluster.stood_down_at is None:
        with change(operation.cluster_id) as tx:
            waiting = Operation.objects.filter(pk=operation.pk, state=OperationState.QUEUED)
            if waiting.update(wait_reason=reason):
                tx.touch(operation, operation.vm)


def _began(tx: Change, operation: Operation) -> None:
    if operation.source_id != operation.target_id and operation.target is not None:
        tx.event(
            "move_started",
            vm=operation.vm,
            node=operation.source,
            operation=operation,
            kind=KINDS[operation.kind],
            source=operation.source.name if operation.source else "",
            target=operation.target.name,
        )


def owned(operation_id: int, owner: str) -> Operation:
    """The operation afresh, if this owner still holds it. Raises LeaseLost."""
    # Read four times a second for each operation that runs: what is long is fetched by the step that needs
    # it, and one row needs no order.
    found = (
        Operation.objects.select_related("vm__volume", "vm__owner", "source", "target", "cluster")
        .defer("vm__definition", "vm__owner__cpu_features", "source__cpu_features", "target__cpu_features")
        .filter(pk=operation_id, lease_owner=owner, state__in=ACTIVE)
        .order_by()[:1]
    )
    for operation in found:
        return operation
    raise LeaseLost


def renew(operation: Operation, **values: Any) -> None:
    """Lengthen the lease, with any plain columns (progress) in the same statement. Raises LeaseLost."""
    began = clock().monotonic()
    kept = Operation.objects.filter(
        pk=operation.pk, lease_owner=operation.lease_owner, state__in=ACTIVE
    ).update(lease_expires=clock().database_now() + timedelta(seconds=LEASE_S), **values)
    if not kept:
        raise LeaseLost
    operation.held_until = began + LEASE_S
    for name, value in values.items():
        setattr(operation, name, value)


def secure(operation: Operation) -> None:
    """Renew just before a host is called: enough of the lease must be left for the call's deadline, also
    when the renewal itself took long. Raises LeaseLost."""
    for _ in range(2):
        renew(operation)
        if operation.held_until - clock().monotonic() >= CALL_NEEDS_S:
            return
    raise LeaseLost


def release(operation_id: int, owner: str) -> None:
    """Give the operation back unfinished, for another worker to go on at once."""
    Operation.objects.filter(pk=operation_id, lease_owner=owner).update(
        lease_owner="", lease_expires=None, due_at=None
    )


def not_ahead() -> None:
    """After the database's clock was set back, leases seem to last for as long as that, also those of the
    dead. None ends later than one that is taken now: not at once, since its owner may be about to call."""
    now = clock().database_now()
    for name, longest in (("lease_expires", LEASE_S), ("due_at", LONGEST_WAIT_S)):
        latest = now + timedelta(seconds=longest)
        Operation.objects.filter(state__in=ACTIVE, **{f"{name}__gt": latest}).update(**{name: latest})


def park(operation: Operation, *, seconds: float) -> bool:
    """Give an operation back that can only wait: it is taken up again after so long, or when a node of it is
    heard (reaper.heard). Its holders, slots and step stay as they are. False when it was cancelled since it
    was read, or has another owner."""
    with change(operation.cluster_id) as tx:
        parked = Operation.objects.filter(
            pk=operation.pk, lease_owner=operation.lease_owner, state=operation.state
        ).update(
            lease_owner="",
            lease_expires=None,
            due_at=clock().database_now() + timedelta(seconds=seconds),
        )
        if parked and operation.due_at is None:
            tx.touch(operation, operation.vm)
    return bool(parked)


def show_progress(operation: Operation, figures: dict[str, Any], *, keep: bool) -> None:
    """Publish figures to the browsers; `keep` also writes them to the row, with the lease's renewal."""
    operation.progress = figures
    # First the browsers: a write may wait for others' writes, and figures that are late are worth little.
    notices.publish([notices.Progress(operation.cluster_id, operation.pk, operation.vm_id, figures)])
    if keep:
        renew(operation, progress=figures)


def step(
    operation: Operation,
    *,
    vm_state: str | None = None,
    hold: Node | None = None,
    unheld: Node | None = None,
    vm_values: dict[str, Any] | None = None,
    **values: Any,
) -> None:
    """Commit where the operation stands: columns (step, phase, memory, wait_reason ...), the VM's observed
    state, a new possible holder *before* the call that could make a copy there, and one that was seen
    without a copy. Raises LeaseLost."""
    with change(operation.cluster_id) as tx:
        renew(operation, **values)
        vm = operation.vm
        if hold is not None:
            Holder.objects.get_or_create(
                vm=vm, node=hold, defaults={"since": tx.now, "because": operation.kind}
            )
        Holder.objects.filter(vm=vm, node=unheld).delete()
        if vm_state is not None:
            tx.set_vm_state(vm, vm_state, **(vm_values or {}))
        elif vm_values:
            tx.update(vm, **vm_values)
        tx.touch(operation, vm)


def settle(
    operation: Operation,
    state: OperationState,
    *,
    outcome: str,
    code: str = "",
    level: Level = Level.INFO,
    advice: str = "",
    raw: str = "",
    vm_state: str | None = None,
    vm_reason: str = "",
    vm_values: dict[str, Any] | None = None,
    unheld: tuple[Node, ...] = (),
    unseen: Node | None = None,
    params: dict[str, object] | None = None,
    and_then: Callable[[Change, Operation], None] | None = None,
) -> None:
    """End the operation with its observed outcome, in one transaction with all that follows from it:
    the VM's state and owner, holders seen without a copy, slots, the event, and `and_then` what else.
    `unseen`: a node whose slot stays taken until it answers again (operations.free_unseen).
    Raises LeaseLost."""
    with change(operation.cluster_id) as tx:
        renew(operation)
        figures = ended(operation.progress, whole=state == OperationState.SUCCEEDED)
        texts = {"outcome": outcome[:500], "advice": advice[:300], "raw_reason": raw}
        _end(tx, operation, state, unseen, progress=figures, **texts)
        Holder.objects.filter(vm=operation.vm, node__in=unheld).delete()
        _end_vm(tx, operation.vm, vm_state, vm_reason, vm_values or {})
        if code:
            tx.event(
                code,
                level=level,
                vm=operation.vm,
                node=operation.target or operation.source,
                operation=operation,
                cause=operation.cause,
                words=params,
            )
        tx.touch(operation, operation.vm, operation.source, operation.target)
        tx.enqueue(ADMIT, operation.cluster_id, queue=URGENT)
        if and_then is not None:
            and_then(tx, operation)


def _end(tx: Change, operation: Operation, state: OperationState, unseen: Node | None, **values: Any) -> None:
    """Close the row and free its slots. A cancel that came too late is no obstacle."""
    current = Operation.objects.filter(pk=operation.pk).values_list("state", flat=True).get()
    operation.state = OperationState(current)
    ended = tx.advance(
        operation,
        to=state,
        phase=Phase.DONE,
        finished_at=tx.now,
        wait_reason="",
        lease_owner="",
        lease_expires=None,
        due_at=None,
        **values,
    )
    if not ended:
        raise LeaseLost
    taken = Slot.objects.filter(operation=operation)
    (taken if unseen is None else taken.exclude(node=unseen)).delete()


def _end_vm(tx: Change, vm: Vm, state: str | None, reason: str, values: dict[str, Any]) -> None:
    if values.get("owner", vm.owner) != vm.owner:
        values = {**at_another_host(vm), **values}
    if state is not None:
        tx.set_vm_state(vm, state, reason, **values)
    elif values:
        tx.update(vm, **values)
