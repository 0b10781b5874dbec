"""Recovery of a failed VM: restart it where it failed; if that does not work, start it on another node."""

from __future__ import annotations

import contextlib

from clustermgr.actions import leases
from clustermgr.actions.recovery import after_failed_restart, best_other, count
from clustermgr.core.recovery import Remedy
from clustermgr.core.states import Level, OperationState, VmState
from clustermgr.drivers.contract import HostUnreachable
from clustermgr.jobs.bring_up import bring_up, came_up
from clustermgr.jobs.definitions import give, leave, put_back
from clustermgr.jobs.endings import running_twice
from clustermgr.jobs.take_down import state_after
from clustermgr.jobs.work import SILENT_S, Occupied, Trouble, Unbegun, Work
from clustermgr.models import Node


def recovery(work: Work) -> float | None:
    op = work.operation
    node = op.target
    try:
        if op.step == "begin":
            return _begin(work, node)
        pause = bring_up(work, node)
    except Occupied as occupied:
        return _give_up(work, node, occupied.sentence, "")  # it may be the copy in use: left alone
    except Trouble as trouble:
        return _elsewhere(work, node, trouble)
    if pause is not None:
        return pause
    return _settle(work, node)


def _begin(work: Work, node: Node) -> float:
    op = work.operation
    work.must_manage()
    if node.pk != op.vm.owner_id or work.first_sight(node) is None:
        give(work, op.vm.owner, node)
    leases.step(op, step="up")
    return 0.0


def _elsewhere(work: Work, node: Node, trouble: Trouble) -> float | None:
    op, vm = work.operation, work.operation.vm
    work.must_manage()
    tried = [*op.memory.get("tried", []), node.pk]
    cleared = isinstance(trouble, Unbegun) or _cleared(work, node)
    if not cleared:
        return SILENT_S
    chosen = after_failed_restart(vm)
    target = best_other(vm, tuple(tried)) if chosen.remedy == Remedy.FAIL_OVER else None
    if target is None:
        reason = f"{trouble.sentence} " + (
            "No other node can take it now."
            if chosen.remedy == Remedy.FAIL_OVER
            else f"Left failed: {chosen.reason}."
        )
        return _give_up(work, node, reason, trouble.raw)
    count(vm, chosen)
    memory = {**op.memory, "tried": tried, "why": trouble.sentence}
    unheld = None if isinstance(trouble, Unbegun) else node
    leases.step(op, step="begin", target=target, memory=memory, unheld=unheld)
    work.anew()
    return 0.0


def _cleared(work: Work, node: Node) -> bool:
    """No process of it is left on `node`; a node that is not its owner forgets it again."""
    op, vm = work.operation, work.operation.vm
    try:
        return work.cleared(node, undefine=node.pk != vm.owner_id)
    except HostUnreachable:
        work.forget(node)
        work.note(f"{node.name} does not answer; {vm.name} is started elsewhere when that copy is ruled out")
        leases.renew(op)
        return False


def _settle(work: Work, node: Node) -> float | None:
    op, vm = work.operation, work.operation.vm
    code = "vm_restarted"
    unheld: tuple[Node, ...] = ()
    if node.pk != vm.owner_id:
        code = "vm_failed_over"
        answered, sight = work.sight(vm.owner)
        if sight is not None and sight.has_process:
            return running_twice(work, node, vm.owner, cold=True)
        if answered and (sight is None or not sight.has_process):
            unheld = (vm.owner,)
        with contextlib.suppress(Trouble):
            leave(work, vm.owner)
    leases.settle(
        op,
        OperationState.SUCCEEDED,
        outcome=f"{vm.name} runs on {node.name} again.",
        code=code,
        level=Level.WARNING,
        vm_state=VmState.RUNNING,
        vm_values={**came_up(cold=True), "owner": node},
        unheld=unheld,
        params={"node": node.name, "source": vm.owner.name},
    )
    return None


def _give_up(work: Work, node: Node, reason: str, raw: str) -> None:
    op = work.operation
    reason = f"{reason} {put_back(work)}".strip()
    answered, sight = work.sight(node)
    alive = sight is not None and sight.has_process
    leases.settle(
        op,
        OperationState.FAILED,
        outcome=reason,
        advice="Mend what the sentence names, then start it by hand.",
        raw=raw,
        code="vm_left_failed",
        level=Level.ERROR,
        vm_state=state_after(op.vm, sight) if alive and node.pk == op.vm.owner_id else VmState.FAILED,
        vm_reason="" if alive else reason,
        unheld=(node,) if answered and not alive else (),
        params={"reason": reason},
    )
