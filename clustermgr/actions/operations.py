"""Orders as rows: giving them, cancelling them, admitting them to slots. Never calls a host."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError
from django.db.models import F

from clustermgr.access import Actor, verb_of
from clustermgr.actions._ledger import Change, audit, change, stood_down
from clustermgr.actions.rights import require
from clustermgr.core.findings import Finding, finding
from clustermgr.core.slots import Place, Waiter, admit
from clustermgr.core.states import (
    ACTIVE,
    CANCELLABLE,
    PRIORITY_RANK,
    SETTLED,
    NodeState,
    OperationKind,
    OperationState,
    Phase,
    Priority,
    cancellable,
    may_be_given_up,
)
from clustermgr.core.words import KINDS
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster, Event, Node, Operation, Slot, Vm

DRIVE = "clustermgr.jobs.operations.drive"
ADMIT = "clustermgr.jobs.operations.admit"
#: The queue of what never waits behind orders: engine, recoveries, admission, reaper.
URGENT = "engine"

MOVES = (OperationKind.LIVE_MIGRATION, OperationKind.QUICK_MIGRATION, OperationKind.MOVE)


def give(
    *,
    actor: Actor,
    kind: OperationKind,
    vm: Vm,
    source: Node | None = None,
    target: Node | None = None,
    reason: str = "",
    cause: Event | None = None,
    params: dict[str, object] | None = None,
) -> Operation:
    """Write one order. The database lets one active order per VM exist; a second is refused by its name."""
    try:
        with change(vm.cluster_id) as tx:
            return place(
                tx,
                actor=actor,
                kind=kind,
                vm=vm,
                source=source,
                target=target,
                reason=reason,
                cause=cause,
                params=params or {},
            )
    except IntegrityError:
        raise _evicted(vm, source, target) or busy(actor, verb_of(kind), vm) from None


def _evicted(vm: Vm, *ends: Node | None) -> ActionRefused | None:
    """The refusal when one of these nodes left the cluster in this moment."""
    for node in ends:
        if node is not None and not Node.objects.filter(pk=node.pk).exists():
            return ActionRefused(finding("unknown_node", node=node.name, cluster=vm.cluster.name))
    return None


def place(tx: Change, *, actor: Actor, vm: Vm, **values: Any) -> Operation:
    """Write one order within a transaction. Raises IntegrityError when the VM has one already, and
    ActionRefused when `vm` is not any more what it was when it was read."""
    operation = Operation.objects.create(
        cluster_id=vm.cluster_id,
        vm=vm,
        requested_by=actor.name,
        user=actor.user,
        priority=PRIORITY_RANK[Priority(vm.priority)],
        created_at=tx.now,
        **values,
    )
    # No other order holds it now: what changed since it was read was changed by one that has ended.
    same = Vm.objects.filter(pk=vm.pk, owner=vm.owner_id)
    if values["kind"] != OperationKind.SETTINGS:
        same = same.filter(state=vm.state)
    if not same.exists():
        raise ActionRefused(finding("changed_meanwhile", vm=vm.name))
    _record(tx, actor, operation)
    return operation


def _record(tx: Change, actor: Actor, operation: Operation) -> None:
    names = {
        name: node.name
        for name, node in (("source", operation.source), ("target", operation.target))
        if node is not None
    }
    tx.event(
        "move_ordered" if operation.kind in MOVES else "order_given",
        vm=operation.vm,
        node=operation.source,
        operation=operation,
        actor=actor.name,
        cause=operation.cause,
        kind=KINDS[operation.kind],
        what=KINDS[operation.kind],
        **names,
    )
    audit(
        actor,
        cluster_id=operation.cluster_id,
        verb=verb_of(operation.kind),
        subject=operation.vm.name,
        accepted=True,
        operation=operation,
        **names,
        **operation.params,
    )
    tx.touch(operation, operation.vm)
    if operation.kind == OperationKind.LIVE_MIGRATION:
        tx.enqueue(ADMIT, operation.cluster_id, queue=URGENT)
    else:
        tx.enqueue(DRIVE, operation.pk, queue=queue_of(operation.kind))


def queue_of(kind: str) -> str:
    """Where an operation of this kind is sent."""
    return URGENT if kind == OperationKind.RECOVERY else "operations"


def busy(actor: Actor, verb: str, vm: Vm) -> ActionRefused:
    """The audited refusal that names the order which holds the VM."""
    holder = Operation.objects.filter(vm=vm, state__in=ACTIVE).first()
    what = KINDS[holder.kind].lower() if holder else "an order that has just ended"
    who = holder.requested_by if holder else "somebody"
    found = finding("vm_busy", vm=vm.name, what=what, who=who)
    return refuse(actor, verb, vm, found, status=423, operation=holder.pk if holder else None)


def must_be_managed(actor: Actor, verb: str, vm: Vm) -> None:
    """Refuse an order while the cluster stands down, before any other reason. Raises ActionRefused."""
    if vm.cluster.stood_down_at is not None:
        raise refuse(actor, verb, vm, stood_down(vm.cluster))


def refuse(
    actor: Actor,
    verb: str,
    subject: Vm | Operation,
    *findings: Finding,
    status: int = 409,
    operation: int | None = None,
) -> ActionRefused:
    """Audit a refusal and return it, to be raised. `operation`: the one that stands in the way."""
    refusal = ActionRefused(*findings, status=status, operation=operation)
    audit(
        actor,
        cluster_id=subject.cluster_id,
        verb=verb,
        subject=subject.vm_name if isinstance(subject, Operation) else subject.name,
        accepted=False,
        answer=" ".join(found.sentence for found in findings),
    )
    return refusal


def cancel(*, actor: Actor, operation: Operation) -> Operation:
    """Ask for an order to stop: at once while it waits, until switch-over while it copies, refused after. One
    that waits for a silent host ends with its holders kept, where nothing is owed to that host."""
    require(actor, "cancel", operation)
    operation.refresh_from_db()
    if not operation.active:
        state = OperationState(operation.state).value
        raise refuse(actor, "cancel", operation, finding("not_active", state=state))
    if operation.state == OperationState.CANCELLING:
        return operation
    with change(operation.cluster_id) as tx:
        if operation.state == OperationState.QUEUED and cancel_unbegun(tx, actor, operation):
            accepted = True
        else:
            operation.refresh_from_db()
            accepted = _cancel_running(tx, actor, operation)
        if accepted:
            audit(
                actor,
                cluster_id=operation.cluster_id,
                verb="cancel",
                subject=operation.vm.name,
                accepted=True,
                operation=operation,
            )
    if not accepted:
        raise refuse(actor, "cancel", operation, _why_not(operation))
    return operation


def cancel_unbegun(
    tx: Change,
    actor: Actor,
    operation: Operation,
    outcome: str = "Cancelled before it began; nothing was changed.",
) -> bool:
    """End an order that no worker has taken yet; False when one was faster."""
    done = tx.advance(
        operation,
        to=OperationState.CANCELLED,
        phase=Phase.DONE,
        finished_at=tx.now,
        cancel_requested_by=actor.name,
        wait_reason="",
        outcome=outcome[:500],
    )
    if done:
        Slot.objects.filter(operation=operation).delete()
        tx.event(
            "order_cancelled",
            vm=operation.vm,
            operation=operation,
            actor=actor.name,
            what=KINDS[operation.kind],
        )
        tx.touch(operation.vm)
        tx.enqueue(ADMIT, operation.cluster_id, queue=URGENT)
    return done


def _cancel_running(tx: Change, actor: Actor, operation: Operation) -> bool:
    waits = operation.due_at is not None
    given_up = waits and may_be_given_up(operation.kind, operation.step, operation.params)
    if not given_up and not cancellable(operation.kind, operation.phase):
        return False
    done = tx.advance(operation, to=OperationState.CANCELLING, cancel_requested_by=actor.name)
    if done:
        tx.event(
            "cancel_requested",
            vm=operation.vm,
            operation=operation,
            actor=actor.name,
            what=KINDS[operation.kind].lower(),
        )
        tx.touch(operation.vm)
        if waits:  # nobody is at it: a worker looks once more, and ends it
            Operation.objects.filter(pk=operation.pk).update(due_at=tx.now)
            tx.enqueue(DRIVE, operation.pk, queue=queue_of(operation.kind))
    return done


def _why_not(operation: Operation) -> Finding:
    if not operation.active:
        return finding("not_active", state=OperationState(operation.state).value)
    if operation.kind in CANCELLABLE:
        return finding("past_switch", vm=operation.vm_name)
    return finding("cannot_cancel", what=KINDS[operation.kind])


def free_unseen(tx: Change) -> None:
    """Slots at sources that were silent when their move ended: free once that node answered again. An evicted
    node takes its slots with it."""
    kept = Slot.objects.filter(node__cluster=tx.cluster_id, operation__state__in=SETTLED)
    again = kept.filter(node__state=NodeState.UP, node__observed_at__gt=F("operation__finished_at"))
    for slot in again.select_related("node", "operation__vm"):
        slot.delete()
        tx.touch(slot.node, slot.operation.vm)


def admit_waiting(cluster: Cluster) -> None:
    """Give slots to the live migrations that may begin now, and tell each other one why it waits."""
    with change(cluster.pk) as tx:
        free_unseen(tx)
        waiting = list(
            Operation.objects.filter(
                cluster=cluster,
                state=OperationState.QUEUED,
                kind=OperationKind.LIVE_MIGRATION,
                slots__isnull=True,
            ).select_related("vm")
        )
        if not waiting:
            return
        taken = Slot.objects.filter(node__cluster=cluster).values_list(
            "node_id", "number", "operation__vm__name", "operation__finished_at"
        )
        result = admit(
            [Waiter(op.pk, op.vm.name, (op.source_id, op.target_id), op.priority, op.pk) for op in waiting],
            [Place(node, number, vm, unseen=ended is not None) for node, number, vm, ended in taken],
            limit=cluster.live_migrations_per_node,
            names=dict(Node.objects.filter(cluster=cluster).values_list("pk", "name")),
        )
        for operation in waiting:
            numbers = result.granted.get(operation.pk)
            if numbers is not None:
                _grant(tx, operation, numbers)
            elif operation.wait_reason != result.reasons[operation.pk]:
                tx.update(operation, wait_reason=result.reasons[operation.pk])
                tx.touch(operation.vm)


def _grant(tx: Change, operation: Operation, numbers: dict[int, int]) -> None:
    # Sorted, so that two admissions at once cannot each hold half of a pair.
    Slot.objects.bulk_create(
        Slot(node_id=node, number=number, operation=operation) for node, number in sorted(numbers.items())
    )
    tx.update(operation, wait_reason="")
    tx.enqueue(DRIVE, operation.pk)
