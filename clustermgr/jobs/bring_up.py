"""Bringing a VM up on a node: cold from its definition, or restored from a saved file, once.

Always paused first; resumed only after the step "resume" was committed, with every other possible holder
seen without a copy (safety.md 1.2, 2.4, 3).
"""

from __future__ import annotations

from typing import Any

from clustermgr.actions import leases
from clustermgr.core.states import OperationKind, Phase, VmState, Wanted
from clustermgr.drivers.contract import (
    DomainSight,
    DomainState,
    DoneHandle,
    DriverError,
    HandleState,
    HostUnreachable,
)
from clustermgr.jobs import revoke, saved_files
from clustermgr.jobs.work import SAMPLE_S, SILENT_S, Occupied, Trouble, Work
from clustermgr.models import Node
from clustermgr.ports import clock
from clustermgr.queries.first_looks import why_not_yet

#: A call without an answer is over when the node shows neither domain nor job for this long.
SETTLE_S = 2.0
#: A VM that a disk error stops as soon as it runs is tried again for this long.
IO_PATIENCE_S = 30.0
#: An order whose answer was lost is given again so often: on its node it can only be one copy.
TRIES = 3
#: After this a host that is long about it is named as the reason.
LONG_S = 10.0
#: The copy is there, whole. Somebody on the host may have resumed it before us.
UP = (DomainState.PAUSED, DomainState.RUNNING, DomainState.PAUSED_IO)


class Stuck(Trouble):
    """The copy is there, whole, and cannot run now. It may be the only one with its memory."""


def bring_up(work: Work, node: Node, *, path: str = "") -> float | None:
    """Seconds until the next look, or None when the VM is seen running on `node`.

    `path`: restore from this file; empty: start from the definition, which `node` must have.
    Steps: up -> called -> (spent ->) resume. Raises Trouble when it did not come up: Occupied and Unbegun
    before the call, else a paused copy may be left. When a call may still be waiting on the host: -> revoke.
    """
    if work.operation.step == "up":
        return _up(work, node, work.first_sight(node), path)
    answered, sight = work.sight(node)
    if not answered:
        work.note(
            f"{node.name} does not answer; whether {work.operation.vm.name} came up is seen when it does. "
            "Start that node, or its libvirt daemon"
        )
        work.same_for("silent")
        leases.renew(work.operation)
        return SILENT_S
    try:
        return STEPS[work.operation.step](work, node, sight, path)
    except Trouble as trouble:
        if _stays(work, node, trouble) or not revoke.doubtful(work, node, sight, trouble, path):
            raise
        return revoke.begin(work, node, trouble, path)


def _stays(work: Work, node: Node, trouble: Trouble) -> bool:
    """A copy that is stuck at home is left there for the administrator; recovery has other nodes to try."""
    op = work.operation
    at_home = node.pk == op.vm.owner_id and op.kind != OperationKind.RECOVERY
    return isinstance(trouble, Stuck) and at_home


def _up(work: Work, node: Node, sight: DomainSight | None, path: str) -> float | None:
    op = work.operation
    work.must_manage()
    if not alone(work, node):
        return SILENT_S
    if sight is not None and sight.has_process:
        raise Occupied(f"{op.vm.name} already has a copy on {node.name} that this order did not make.")
    phase = Phase.RESTORING if path else Phase.STARTING
    leases.step(op, step="called", phase=phase, hold=node, vm_state=VmState.STARTING, wait_reason="")
    return _order(work, node, path)


def alone(work: Work, node: Node) -> bool:
    """No other node has, or may have, a copy. Raises Occupied."""
    op = work.operation
    if reason := why_not_yet(op.cluster_id, op.vm.name):
        work.note(f"{reason}; it is started when that is ruled out, or the node evicted")
        leases.renew(op)
        work.stalled = True
        return False
    for other, answers in work.other_copies(node):
        if answers:
            raise Occupied(f"{op.vm.name} has a copy on {other.name}; it is never started twice.")
        work.note(
            f"{op.vm.name} may still have a copy on {other.name}, which does not answer; "
            "it is started when that is ruled out"
        )
        leases.renew(op)
        return False
    return True


def _order(work: Work, node: Node, path: str) -> float:
    work.must_manage()
    host = work.host(node)
    work.ordered, work.tries, work.handle = True, work.tries + 1, None
    work.same_for("ordered")
    try:
        work.handle = work.call(
            lambda: host.begin_restore(path) if path else host.begin_start(work.operation.vm.uuid)
        )
    except HostUnreachable:
        work.doubt = True
        raise
    except DriverError as error:
        if not work.doubt:
            raise Trouble(error.sentence, error.raw) from error
        # The order before this one may have made the copy just now: a look tells.
        work.handle = DoneHandle(HandleState.FAILED, error.sentence)
    return SAMPLE_S


def _called(work: Work, node: Node, sight: DomainSight | None, path: str) -> float | None:
    caller, reason = work.caller()
    work.doubt = work.doubt or caller == "none"
    if sight is not None and sight.state in UP and sight.job is None:
        if path:
            leases.step(work.operation, step="spent", wait_reason="", vm_values={"saved_spent": True})
        else:
            leases.step(work.operation, step="resume", wait_reason="")
        return 0.0
    busy = sight is not None and (sight.has_process or sight.job is not None)
    if busy or caller == "running":
        if work.same_for("coming up") >= LONG_S:
            work.note(f"{node.name} is still starting {work.operation.vm.name}; see that its storage answers")
        if path and sight is not None and sight.job is not None:
            work.progress(sight.job, Phase.RESTORING)
        else:
            leases.renew(work.operation)
        return SAMPLE_S
    if work.same_for("nothing there") < SETTLE_S:
        return SAMPLE_S
    if caller == "none" and work.tries < TRIES:
        return _order(work, node, path)
    name = work.operation.vm.name
    raise Trouble(reason or f"{name} did not come up on {node.name}.", reason)


def _spent(work: Work, node: Node, sight: DomainSight | None, path: str) -> float:
    """All that the VM has in memory is in this copy: while the file cannot be deleted it waits, paused. The
    file goes in any case: who knows whether that copy was resumed for a moment."""
    op = work.operation
    said = saved_files.spend(work, node, path)
    if not said:
        leases.step(op, step="resume", wait_reason="", vm_values={"saved_file": "", "saved_spent": False})
        return 0.0
    if (sight is None or not sight.has_process) and work.same_for("gone") >= SETTLE_S:
        raise Trouble(f"{op.vm.name} stopped on {node.name} before it could run.")
    work.note(f"{op.vm.name} waits, paused, until its saved state {path} is deleted. {said}")
    leases.renew(op)
    return SILENT_S


def _resume(work: Work, node: Node, sight: DomainSight | None, path: str) -> float | None:
    if sight is not None and sight.state == DomainState.RUNNING:
        return None
    if sight is not None and sight.state in UP:
        if any(answers for _, answers in work.other_copies(node)):
            raise Trouble(f"{work.operation.vm.name} was started elsewhere meanwhile, not by this order.")
        if sight.state == DomainState.PAUSED_IO and work.same_for("disk error") >= IO_PATIENCE_S:
            raise Stuck(sight.reason or f"{work.operation.vm.name} was stopped by a disk error.")
        try:
            work.attempt(lambda: work.host(node).resume(work.operation.vm.uuid))
        except HostUnreachable:
            work.doubt = True
            raise
        except Trouble as refused:
            raise Stuck(refused.sentence, refused.raw) from refused
        return SAMPLE_S if sight.state == DomainState.PAUSED_IO else 0.0
    if sight is not None and sight.has_process:
        return SAMPLE_S
    if work.same_for("gone") < SETTLE_S:
        return SAMPLE_S
    raise Trouble(f"{work.operation.vm.name} stopped on {node.name} before it could run.")


STEPS = {"called": _called, "spent": _spent, "resume": _resume, "revoke": revoke.revoke}


def came_up(*, cold: bool) -> dict[str, Any]:
    """What a VM that came up is written as. `cold`: from its definition, so that everything agreed counts."""
    values = {"wanted": Wanted.RUNNING, "saved_file": "", "saved_spent": False}
    start = {"started_at": clock().now(), "started_seen": False}
    return {**values, **start, **({"pending": {}} if cold else {})}
