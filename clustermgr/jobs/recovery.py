"""Recovery of a failed VM: restart it where it failed; if that does not work, start it on another node."""

from __future__ import annotations

from clustermgr.actions import leases
from clustermgr.actions.recovery import after_failed_restart, best_other, count
from clustermgr.core.recovery import Remedy
from clustermgr.core.states import Level, OperationState, VmState
from clustermgr.drivers.contract import DriverError, HostUnreachable, NotFound
from clustermgr.jobs.bring_up import RUNNING_VALUES, bring_up
from clustermgr.jobs.take_down import state_of
from clustermgr.jobs.work import SILENT_S, Trouble, Work
from clustermgr.models import Node
from clustermgr.secrets import unseal


def recovery(work: Work) -> float | None:
    op = work.operation
    node = op.target
    try:
        if op.step == "begin":
            return _begin(work, node)
        pause = bring_up(work, node)
    except Trouble as trouble:
        return _elsewhere(work, node, trouble)
    if pause is not None:
        return pause
    return _settle(work, node)


def _begin(work: Work, node: Node) -> float:
    op = work.operation
    answered, sight = work.sight(node)
    if not answered:
        raise HostUnreachable(f"{node.name} does not answer.")
    if sight is None:
        leases.step(op, hold=node)
        work.call(lambda: work.host(node).define(_definition(work)))
    leases.step(op, step="up")
    return 0.0


def _definition(work: Work) -> str:
    """From the node where it failed, while that answers; else the cluster's own copy."""
    vm = work.operation.vm
    try:
        return work.host(vm.owner).read_config(vm.uuid).definition
    except (HostUnreachable, NotFound):
        return unseal(vm.definition)


def _elsewhere(work: Work, node: Node, trouble: Trouble) -> float | None:
    op, vm = work.operation, work.operation.vm
    tried = [*op.memory.get("tried", []), node.pk]
    chosen = after_failed_restart(vm)
    target = best_other(vm, tuple(tried)) if chosen.remedy == Remedy.FAIL_OVER else None
    if target is None:
        reason = f"{trouble.sentence} " + (
            "No other node can take it now."
            if chosen.remedy == Remedy.FAIL_OVER
            else f"Left failed: {chosen.reason}."
        )
        return _give_up(work, node, reason, trouble.raw)
    if not _cleared(work, node):
        return SILENT_S
    count(vm, chosen)
    leases.step(op, step="begin", target=target, memory={"tried": tried, "why": trouble.sentence})
    work.ordered, work.handle = False, None
    return 0.0


def _cleared(work: Work, node: Node) -> bool:
    """No process of it is left on `node`; a node that is not its owner forgets it again."""
    op, vm = work.operation, work.operation.vm
    try:
        work.call(lambda: work.host(node).destroy(vm.uuid))
        if node.pk != vm.owner_id:
            work.call(lambda: work.host(node).undefine(vm.uuid))
    except HostUnreachable:
        work.forget(node)
        work.note(f"{node.name} does not answer; {vm.name} is started elsewhere when that copy is ruled out")
        leases.renew(op)
        return False
    return True


def _settle(work: Work, node: Node) -> float | None:
    op, vm = work.operation, work.operation.vm
    code = "vm_restarted"
    unheld: tuple[Node, ...] = ()
    if node.pk != vm.owner_id:
        code, unheld = "vm_failed_over", (vm.owner,)
        try:
            work.call(lambda: work.host(vm.owner).undefine(vm.uuid))
        except DriverError:
            unheld = ()  # its stale definition is removed when that node answers again
    leases.settle(
        op,
        OperationState.SUCCEEDED,
        outcome=f"{vm.name} runs on {node.name} again.",
        code=code,
        level=Level.WARNING,
        vm_state=VmState.RUNNING,
        vm_values={**RUNNING_VALUES, "owner": node},
        unheld=unheld,
        params={"node": node.name, "source": vm.owner.name},
    )
    return None


def _give_up(work: Work, node: Node, reason: str, raw: str) -> None:
    op = work.operation
    answered, sight = work.sight(node)
    alive = answered and state_of(sight) == VmState.RUNNING
    leases.settle(
        op,
        OperationState.FAILED,
        outcome=reason,
        advice="Mend what the sentence names, then start it by hand.",
        raw=raw,
        code="vm_left_failed",
        level=Level.ERROR,
        vm_state=VmState.RUNNING if alive else VmState.FAILED,
        vm_reason="" if alive else reason,
        params={"reason": reason},
    )
