"""Quick migration and move: take the VM down, give it to the other node, bring it up there.

When it does not come up there and its state was not spent, it comes back home; the outcome says so.
"""

from __future__ import annotations

from clustermgr.actions import leases
from clustermgr.core.states import Level, OfflineAction, OperationKind, OperationState, Phase, VmState
from clustermgr.core.words import KINDS, duration
from clustermgr.drivers.contract import DomainSight, DomainState, HostUnreachable
from clustermgr.jobs.bring_up import SETTLE_S, bring_up, came_up
from clustermgr.jobs.definitions import check_free, give, leave
from clustermgr.jobs.endings import cancelled, fail, running_twice
from clustermgr.jobs.power import saved_path
from clustermgr.jobs.take_down import Cancelled, state_after, take_down
from clustermgr.jobs.work import HELD_AFTER_S, SAMPLE_S, SILENT_S, Occupied, Trouble, Unbegun, Work
from clustermgr.models import Node, Operation
from clustermgr.ports import clock
from clustermgr.queries.first_looks import why_not_yet

RUNS = frozenset({DomainState.RUNNING, DomainState.PAUSED_IO})
UNDEFINE = "virsh undefine --keep-nvram --snapshots-metadata"


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
    if "was_running" not in op.memory:
        was_running = vm.state not in (VmState.OFF, VmState.SAVED, VmState.FAILED)
        op.memory = {"was_running": was_running} | ({} if was_running else {"path": vm.saved_file})
    was_running = op.memory["was_running"]
    try:
        if was_running and "path" not in op.memory:
            op.memory["path"] = saved_path(op) if how == OfflineAction.SAVE else ""
        path = op.memory["path"]
        if op.step == "begin":
            _check(work, was_running)
        pause = take_down(work, op.source, how, path) if was_running else None
    except Trouble as trouble:
        return fail(work, op.source, trouble)
    except Cancelled as end:
        return cancelled(work, op.source, end.left)
    if pause is None:
        values = {"saved_file": path, "saved_spent": False} if was_running and path else {}
        # Seen without a process: what becomes of the source from here on blocks no start on the target.
        leases.step(
            op,
            step="away",
            memory=op.memory,
            phase=Phase.CLEANING_UP,
            vm_values=values,
            unheld=op.source,
        )
        return 0.0
    leases.renew(op, memory=op.memory)
    return pause


def _check(work: Work, was_running: bool) -> None:
    """Before anything is done: the rows may be some seconds old, and the target must not have a copy."""
    op = work.operation
    work.must_manage()
    if was_running and (reason := why_not_yet(op.cluster_id, op.vm.name)):
        raise Unbegun(f"{reason}. Nothing was begun.")  # it would wait for that without a process
    here = work.first_sight(op.source)
    if not was_running and here is not None and here.has_process:
        raise Occupied(f"{op.vm.name} was started on {op.source.name} meanwhile.")
    check_free(work, op.target)


def _how(work: Work) -> OfflineAction:
    if work.operation.kind == OperationKind.QUICK_MIGRATION:
        return OfflineAction.SAVE
    return OfflineAction(work.operation.params["offline_action"])


def _away(work: Work) -> float | None:
    """Seen off at home: define it on the target. It runs nowhere now, and a definition is no copy."""
    op = work.operation
    try:
        give(work, op.source, op.target)
    except Trouble as trouble:
        return _home(work, trouble) if op.memory["was_running"] else fail(work, op.source, trouble)
    if op.memory["was_running"]:
        leases.step(op, step="up", phase=Phase.STARTING)
    else:
        leases.step(op, step="tidy")
    work.anew()
    return 0.0


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
    held: Node | None = op.target
    try:
        if isinstance(trouble, Unbegun | Occupied):
            held = None  # no copy of ours is there; one that is there is not ours to destroy
        elif not work.cleared(op.target, undefine=True):
            return SAMPLE_S
    except HostUnreachable:
        work.forget(op.target)
        work.note(f"{op.target.name} does not answer; {vm.name} comes home when it is seen without a copy")
        leases.renew(op)
        return SILENT_S
    # A state that is marked as spent, or may have been used, is never used again (safety.md 2.4).
    cold = op.step in ("spent", "resume", "revoke") or not op.memory["path"]
    leases.step(
        op,
        step="up",
        unheld=held,
        memory={**op.memory, "home": True, "cold": cold, "why": trouble.sentence, "raw": trouble.raw},
    )
    work.anew()
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
        vm_values=came_up(cold=_cold(op)),
        params={"kind": KINDS[op.kind], "target": op.target.name, "reason": why},
    )


def _tidy(work: Work) -> float | None:
    """Up on the target (or off, and given to it), and defined there: forget it at home."""
    op = work.operation
    # Home first: a VM that somebody moves back meanwhile is seen there only when the target let go of it.
    _, here = work.sight(op.source)
    if here is not None and here.has_process:
        return _second_copy(work, here)
    left = ""
    try:
        leave(work, op.source)
    except Trouble as trouble:
        left = trouble.sentence
    _settle(work, left)
    return None


def _second_copy(work: Work, here: DomainSight) -> float | None:
    """Somebody started the VM at home, where this order had taken it down."""
    op = work.operation
    answered, there = work.sight(op.target)
    alive = there is not None and there.has_process
    both = RUNS.issuperset({here.state} | ({there.state} if there else set()))
    # A copy that does not run may be about to go: one that arrives, or that is being stopped.
    patience = SETTLE_S if both or not alive else HELD_AFTER_S
    if not answered or here.incoming or work.same_for(("second copy", alive, both)) < patience:
        silent = "" if answered else f", and {op.target.name} does not answer"
        work.note(f"{op.vm.name} was started on {op.source.name} meanwhile, not by this order{silent}")
        leases.renew(op)
        return SAMPLE_S if answered else SILENT_S
    if alive:
        return running_twice(work, op.target, op.source, cold=_cold(op))
    leases.step(op, hold=op.source, unheld=op.target)
    trouble = Trouble(f"{op.vm.name} was started on {op.source.name} meanwhile, not by this order.")
    return fail(work, op.source, trouble)


def _cold(operation: Operation) -> bool:
    return bool(operation.memory.get("cold")) or not operation.memory["path"]


def _settle(work: Work, left: str) -> None:
    """`left`: why its definition is still at home. That alone runs nothing."""
    op, vm = work.operation, work.operation.vm
    ran = op.memory["was_running"]
    took = duration((clock().now() - (op.started_at or op.created_at)).total_seconds())
    state = VmState.RUNNING if ran else state_after(vm, None)
    outcome = f"{vm.name} {'runs on' if ran else 'now belongs to'} {op.target.name}; the move took {took}."
    code = "move_done" if ran else "move_rehomed"
    leases.settle(
        op,
        OperationState.SUCCEEDED,
        outcome=f"{outcome} Its definition is still on {op.source.name}: {left}" if left else outcome,
        advice=f"When it is of no use, remove it there: {UNDEFINE} {vm.name}" if left else "",
        code="move_left_definition" if left else code,
        level=Level.WARNING if left else Level.INFO,
        vm_state=state,
        vm_values={"owner": op.target, **(came_up(cold=_cold(op)) if ran else {})},
        unheld=(op.source,),
        params={
            "kind": KINDS[op.kind],
            "source": op.source.name,
            "target": op.target.name,
            "took": took,
            "state": state.value,
            "reason": left,
        },
    )
