"""Quick migration and move: take the VM down, give it to the other node, bring it up there.

When it does not come up there and its state was not spent, it comes back home; the outcome says so.
"""

from __future__ import annotations

from clustermgr.actions import leases
from clustermgr.core.states import Level, OfflineAction, OperationKind, OperationState, Phase, VmState, Wanted
from clustermgr.core.words import KINDS, duration
from clustermgr.drivers.contract import DriverError, HostUnreachable
from clustermgr.jobs.bring_up import RUNNING_VALUES, bring_up
from clustermgr.jobs.power import cancelled, fail, saved_path
from clustermgr.jobs.take_down import Cancelled, take_down
from clustermgr.jobs.work import SAMPLE_S, SILENT_S, Trouble, Work
from clustermgr.models import Node
from clustermgr.ports import clock


def relocation(work: Work) -> float | None:
    """begin -> down -> away -> up -> called -> (spent ->) resume -> tidy."""
    step = work.operation.step
    if step in ("begin", "down"):
        return _down(work)
    if step == "away":
        return _away(work)
    if step == "tidy":
        return _tidy(work)
    return _up(work)


def _down(work: Work) -> float | None:
    op, vm = work.operation, work.operation.vm
    how = _how(work)
    work.span = (0.0, 50.0)
    path = saved_path(op) if how == OfflineAction.SAVE else ""
    if "was_running" not in op.memory:
        was_running = vm.state not in (VmState.OFF, VmState.SAVED, VmState.FAILED)
        op.memory = {"was_running": was_running, "path": path if was_running else vm.saved_file}
    was_running = op.memory["was_running"]
    try:
        pause = take_down(work, op.source, how, path) if was_running else None
    except Trouble as trouble:
        return fail(work, op.source, trouble)
    except Cancelled:
        return cancelled(work, op.source)
    if pause is None:
        values = {"saved_file": path, "saved_spent": False} if was_running and path else {}
        leases.step(op, step="away", memory=op.memory, phase=Phase.CLEANING_UP, vm_values=values)
        return 0.0
    leases.renew(op, memory=op.memory)
    return pause


def _how(work: Work) -> OfflineAction:
    if work.operation.kind == OperationKind.QUICK_MIGRATION:
        return OfflineAction.SAVE
    return OfflineAction(work.operation.params["offline_action"])


def _away(work: Work) -> float | None:
    """The VM is seen off at home: define it on the target. It runs nowhere now."""
    op = work.operation
    if op.memory["was_running"] and not op.memory["path"]:
        leases.step(op, hold=op.target)
        try:
            work.attempt(lambda: _define(work, op.target))
        except Trouble as trouble:
            return _home(work, trouble)
    if op.memory["was_running"]:
        leases.step(op, step="up", phase=Phase.STARTING)
    else:
        leases.step(op, step="tidy")
    work.ordered, work.handle = False, None
    return 0.0


def _define(work: Work, node: Node) -> None:
    definition = work.host(work.operation.source).read_config(work.operation.vm.uuid).definition
    work.call(lambda: work.host(node).define(definition))


def _up(work: Work) -> float | None:
    op = work.operation
    home = bool(op.memory.get("home"))
    node = op.source if home else op.target
    work.span = (50.0, 100.0)
    try:
        pause = bring_up(work, node, path="" if op.memory.get("cold") else op.memory["path"])
    except Trouble as trouble:
        return _home(work, trouble) if not home else fail(work, op.source, trouble)
    if pause is None:
        if home:
            return _failed_at_home(work)
        leases.step(op, step="tidy", phase=Phase.CLEANING_UP, vm_state=VmState.RUNNING)
        return 0.0
    return pause


def _home(work: Work, trouble: Trouble) -> float:
    """It did not come up on the target: clear what is there, and bring it up where it came from."""
    op, vm = work.operation, work.operation.vm
    try:
        host = work.host(op.target)
        work.call(lambda: host.destroy(vm.uuid))
        work.call(lambda: host.undefine(vm.uuid))
    except HostUnreachable:
        work.forget(op.target)
        work.note(f"{op.target.name} does not answer; {vm.name} comes home when it is seen without a copy")
        return SILENT_S
    # A state whose VM may have been resumed for a moment is never used again (safety.md 2.4).
    cold = op.step == "resume" or not op.memory["path"]
    leases.step(
        op,
        step="up",
        memory={**op.memory, "home": True, "cold": cold, "why": trouble.sentence, "raw": trouble.raw},
    )
    work.ordered, work.handle = False, None
    return SAMPLE_S


def _failed_at_home(work: Work) -> None:
    op = work.operation
    why = op.memory["why"]
    again = "was started again from its disks" if op.memory["cold"] and op.memory["path"] else "runs again"
    leases.settle(
        op,
        OperationState.FAILED,
        outcome=f"{why} {op.vm.name} {again} on {op.source.name}.",
        advice="Mend what the sentence names, then try again or choose another node.",
        raw=op.memory.get("raw", ""),
        code="move_failed",
        level=Level.ERROR,
        vm_state=VmState.RUNNING,
        vm_values=RUNNING_VALUES,
        unheld=(op.target,),
        params={"kind": KINDS[op.kind], "target": op.target.name, "reason": why},
    )


def _tidy(work: Work) -> float | None:
    """Up on the target (or off, and given to it): define it there for good, and forget it at home."""
    op, vm = work.operation, work.operation.vm
    try:
        _define(work, op.target)
        work.call(lambda: work.host(op.source).undefine(vm.uuid))
    except HostUnreachable:
        raise
    except DriverError as error:
        if work.sight(op.source)[1] is not None:
            work.note(error.sentence)
            leases.renew(op)
            return SILENT_S
        # The source has forgotten it already: a worker died between the two calls and the settlement.
    _settle(work)
    return None


def _settle(work: Work) -> None:
    op, vm = work.operation, work.operation.vm
    ran = op.memory["was_running"]
    took = duration((clock().now() - (op.started_at or op.created_at)).total_seconds())
    state = VmState.RUNNING if ran else (VmState.SAVED if vm.saved_file else VmState.OFF)
    leases.settle(
        op,
        OperationState.SUCCEEDED,
        outcome=f"{vm.name} {'runs on' if ran else 'now belongs to'} {op.target.name}; the move took {took}.",
        code="move_done" if ran else "move_rehomed",
        vm_state=state,
        vm_values={"owner": op.target, **({**RUNNING_VALUES, "wanted": Wanted.RUNNING} if ran else {})},
        unheld=(op.source,),
        params={
            "kind": KINDS[op.kind],
            "source": op.source.name,
            "target": op.target.name,
            "took": took,
            "state": state.value,
        },
    )
