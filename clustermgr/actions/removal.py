"""A role leaves the cluster: ordered here, settled with its row. Its VM stays on its host. Calls no host."""

from __future__ import annotations

from clustermgr.access import Actor
from clustermgr.actions import leases
from clustermgr.actions._ledger import Change
from clustermgr.actions.operations import give, must_be_managed, refuse
from clustermgr.actions.rights import require
from clustermgr.core.findings import field_finding
from clustermgr.core.states import Level, OperationKind, OperationState
from clustermgr.models import Operation, Vm
from clustermgr.queries.membership import held_by, keeps_role

ADVICE = "Look there before it is started anywhere else: it would run twice."


def remove_role(*, actor: Actor, vm: Vm, typed: str) -> Operation:
    """Have a role leave the cluster; also one whose node does not answer. `typed`: the role's name. A worker
    takes the manager's stamp off where the host answers; then the row goes, and history keeps its name.

    Raises ActionRefused: 403, 409 (every reason against), 422 (another name typed), 423 (an order holds it).
    """
    require(actor, "remove_role", vm)
    must_be_managed(actor, "remove_role", vm)
    if typed.strip() != vm.name:
        wrong = field_finding("typed", f"Type the role's name, {vm.name}, to remove it.")
        raise refuse(actor, "remove_role", vm, wrong, status=422)
    if found := keeps_role(vm):
        held = held_by(vm)
        status, holder = (423, held.pk) if held else (409, None)
        raise refuse(actor, "remove_role", vm, *found, status=status, operation=holder)
    return give(
        actor=actor,
        kind=OperationKind.REMOVAL,
        vm=vm,
        source=vm.owner,
        params={"role": vm.pk, "uuid": vm.uuid},
    )


def settle(operation: Operation, stamped: dict[str, str]) -> None:
    """The end of a removal: the role goes with its holders. `stamped`: nodes on which the stamp stays, and
    why. Raises LeaseLost."""
    vm, owner = operation.vm, operation.vm.owner
    reason = " ".join(stamped.values())
    outcome = f"{vm.name} was removed from the cluster"
    leases.settle(
        operation,
        OperationState.SUCCEEDED,
        outcome=f"{outcome}; it stays on {owner.name} as it is."
        if not stamped
        else f"{outcome}. It may run on {', '.join(stamped)}, and keeps the stamp: {reason}",
        code="role_removed_stamped" if stamped else "role_removed",
        level=Level.WARNING if stamped else Level.INFO,
        advice=ADVICE if stamped else "",
        params={"node": ", ".join(stamped) or owner.name, "reason": reason},
        and_then=_let_go,
    )


def _let_go(tx: Change, operation: Operation) -> None:
    """History keeps the name; holders and drift go with the row."""
    vm = operation.vm
    tx.touch(vm.volume, "roles")
    Operation.objects.filter(vm=vm.pk).update(gone_vm=vm.name)
    Vm.objects.filter(pk=vm.pk).delete()
