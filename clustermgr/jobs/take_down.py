"""Taking a VM offline on its node: save, shut down or turn off. Over when *seen*, not when returned."""

from __future__ import annotations

import contextlib

from clustermgr.actions import leases
from clustermgr.actions.operations import MOVES
from clustermgr.core.migration import UNANSWERED_S
from clustermgr.core.states import OfflineAction, OperationState, Phase, VmState, Wanted
from clustermgr.drivers.contract import (
    SAVED_TO_FILE,
    DomainSight,
    DoneHandle,
    DriverError,
    HandleState,
    HostUnreachable,
)
from clustermgr.jobs.readings import STATES
from clustermgr.jobs.work import HELD_AFTER_S, SAMPLE_S, SILENT_S, Trouble, Work
from clustermgr.models import Node, Vm

#: How long a guest may take to shut down: FCM's pending timeout.
SHUTDOWN_PATIENCE_S = 180.0
#: A guest that still boots hears nothing: it is asked again as often as this.
ASK_AGAIN_S = 20.0
#: A stop without the guest is over within this, or the VM is held (safety.md 1.4).
STOP_PATIENCE_S = 60.0
#: A save whose job is not seen is over after this: it ended, or never began.
SAVE_SETTLES_S = 2.0
#: A save whose answer was lost is ordered again so often.
TRIES = 3


class Cancelled(Exception):
    """The administrator's cancel was obeyed: the VM runs where it was. `left`: of a save, in words."""

    def __init__(self, left: str = "") -> None:
        super().__init__(left)
        self.left = left


def take_down(work: Work, node: Node, how: OfflineAction, path: str = "") -> float | None:
    """Seconds until the next look, or None when the VM is seen without a process on `node`.

    Raises Trouble when it did not go down (it runs as before), Cancelled, HostUnreachable.
    """
    if work.operation.step == "begin":
        if work.operation.state == OperationState.CANCELLING:
            raise Cancelled  # nothing was begun
        answered, sight = True, work.first_sight(node)
    else:
        answered, sight = work.sight(node)
    if not answered:
        work.note(
            f"{node.name} does not answer; whether {work.operation.vm.name} went down is seen when it does. "
            "Start that node, or its libvirt daemon"
        )
        leases.renew(work.operation)
        return SILENT_S
    if sight is None or not sight.has_process:
        if how == OfflineAction.SAVE and not _saved(work, node, sight, path):
            raise Trouble(f"{work.operation.vm.name} stopped, and no saved state of it was written.")
        return None
    return (
        _saving(work, node, sight, path) if how == OfflineAction.SAVE else _stopping(work, node, sight, how)
    )


def _saved(work: Work, node: Node, sight: DomainSight | None, path: str) -> bool:
    """Whether the file is whole: a host that died while it wrote leaves half of one. The host's word for how
    the VM ended tells, or our own call's; a daemon that was restarted meanwhile, and one that never had a
    definition, have no word for it, and then the file itself tells."""
    if work.operation.step == "begin":
        return False
    if work.caller() == ("ended", "") or (sight is not None and sight.reason == SAVED_TO_FILE):
        return True
    return (sight is None or not sight.reason) and work.host(node).is_whole(path)


def _begin(work: Work, phase: Phase, state: VmState, path: str = "") -> None:
    op = work.operation
    work.must_manage()
    if op.step == "begin":
        # What the administrator wants changes with the order: a crash meanwhile is not restarted.
        values = {} if op.kind in MOVES else {"wanted": Wanted.OFF}
        memory = {**op.memory, "path": path} if path else op.memory
        leases.step(op, step="down", phase=phase, memory=memory, vm_state=state, vm_values=values)


def _saving(work: Work, node: Node, sight: DomainSight, path: str) -> float:
    op = work.operation
    cancelling = op.state == OperationState.CANCELLING
    if sight.job is not None:
        if cancelling and not sight.job.switching:
            with contextlib.suppress(Trouble):  # past the point of no return: it ends by itself
                work.attempt(lambda: work.host(node).abort_job(op.vm.uuid), ends=True)
        work.progress(sight.job, Phase.SAVING)
        work.same_for("saving")
        return SAMPLE_S
    if not work.ordered and not cancelling:
        _begin(work, Phase.SAVING, VmState.SAVING, path)
        return _order_save(work, node, path)
    caller, reason = work.caller()
    if caller == "running":
        return SAMPLE_S
    work.doubt = work.doubt or caller == "none"
    quiet = work.same_for("idle")
    if caller == "none" and work.tries < TRIES and not cancelling and quiet >= SAVE_SETTLES_S:
        return _order_save(work, node, path)
    if quiet < (UNANSWERED_S if work.doubt else SAVE_SETTLES_S):
        leases.renew(op)
        return SAMPLE_S
    left = _called_off(work, node, path) if work.doubt else ""
    if left is None:
        return SILENT_S
    if cancelling:
        raise Cancelled(left)
    said = reason or f"{node.name} ended the save without saving {op.vm.name}."
    raise Trouble(f"{said} {left}".strip(), reason)


def _called_off(work: Work, node: Node, path: str) -> str | None:
    """A save without an answer is aborted before it is told to be none, and its file is seen absent.
    None: not yet; else what is left of it, in words. Raises HostUnreachable."""
    host, uuid = work.host(node), work.operation.vm.uuid
    if work.refused(lambda: host.abort_job(uuid), ends=True):
        return None  # it has begun after all: the next look sees it
    try:
        there = f"An unfinished file is left: {path}." if host.has_file(path) else ""
    except HostUnreachable:
        raise
    except DriverError as error:
        there = f"Whether a file is left at {path} is not known: {error.sentence}"
    if there and work.met("a file") < HELD_AFTER_S:
        work.note(there)
        leases.renew(work.operation)
        return None
    return there


def _order_save(work: Work, node: Node, path: str) -> float:
    work.must_manage()
    work.ordered, work.tries, work.handle = True, work.tries + 1, None
    work.same_for("ordered")
    try:
        work.handle = work.attempt(lambda: work.host(node).begin_save(work.operation.vm.uuid, path))
    except Trouble as trouble:
        if not work.doubt:
            raise
        # The order before this one may have begun just now: a look tells.
        work.handle = DoneHandle(HandleState.FAILED, trouble.sentence)
    return SAMPLE_S


def _stopping(work: Work, node: Node, sight: DomainSight, how: OfflineAction) -> float:
    op = work.operation
    waited = work.same_for("stopping")
    if not work.ordered:
        _begin(work, Phase.STOPPING, VmState.STOPPING)
        work.attempt(lambda: _ask(work, node, how))
        work.ordered = True  # an order without an answer is given again: it does no harm twice
    elif how != OfflineAction.TURN_OFF and waited >= work.asked_again_at + ASK_AGAIN_S:
        work.asked_again_at = waited
        with contextlib.suppress(Trouble):  # the first call was taken; this one may come too late
            work.attempt(lambda: _ask(work, node, how))
    leases.renew(op)
    patience = STOP_PATIENCE_S if how == OfflineAction.TURN_OFF else SHUTDOWN_PATIENCE_S
    if waited >= patience:
        minutes = round(patience / 60)
        raise Trouble(f"{op.vm.name} did not stop within {minutes} min; it still runs on {node.name}.")
    return SAMPLE_S


def _ask(work: Work, node: Node, how: OfflineAction) -> None:
    host, uuid = work.host(node), work.operation.vm.uuid
    if how == OfflineAction.TURN_OFF:
        host.destroy(uuid)
    else:
        host.begin_shutdown(uuid, forced=how == OfflineAction.SHUT_DOWN_FORCED)


def state_of(sight: DomainSight | None) -> VmState:
    """The cluster's word for what a host shows of a VM that no operation is changing."""
    if sight is None:
        return VmState.OFF
    return STATES[sight.state]


def state_after(vm: Vm, sight: DomainSight | None) -> VmState:
    """The same after an order that did not succeed. Without a process, a VM whose saved state can still be
    restored is saved, and one that should run has failed: the engine starts it again."""
    if sight is not None and sight.has_process:
        return STATES[sight.state]
    if vm.saved_file and not vm.saved_spent:
        return VmState.SAVED
    return VmState.FAILED if vm.wanted == Wanted.RUNNING else state_of(sight)
