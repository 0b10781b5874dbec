"""Bringing a VM up on a node: cold from its definition, or restored from a saved file, once.

Always paused first; resumed only after the step "resume" was committed, with every other possible holder
seen without a copy (safety.md 1.2, 2.4, 3).
"""

from __future__ import annotations

from clustermgr.actions import leases
from clustermgr.core.states import Phase, VmState, Wanted
from clustermgr.drivers.contract import DomainSight, DomainState
from clustermgr.jobs.work import SAMPLE_S, SILENT_S, Occupied, Trouble, Work
from clustermgr.models import Node

#: A call without an answer is over when the node shows neither domain nor job for this long.
SETTLE_S = 2.0
#: A VM that a disk error stops as soon as it runs is tried again for this long.
IO_PATIENCE_S = 30.0
#: The copy is there, whole. Somebody on the host may have resumed it before us.
UP = (DomainState.PAUSED, DomainState.RUNNING, DomainState.PAUSED_IO)


def bring_up(work: Work, node: Node, *, path: str = "") -> float | None:
    """Seconds until the next look, or None when the VM is seen running on `node`.

    `path`: restore from this file; empty: start from the definition, which `node` must have.
    Steps: up -> called -> (spent ->) resume. Raises Trouble when it did not come up: Occupied and Unbegun
    before the call, else a paused copy may be left.
    """
    if work.operation.step == "up":
        return _up(work, node, work.first_sight(node), path)
    answered, sight = work.sight(node)
    if not answered:
        work.note(
            f"{node.name} does not answer; whether {work.operation.vm.name} came up is seen when it does"
        )
        leases.renew(work.operation)
        return SILENT_S
    return STEPS[work.operation.step](work, node, sight, path)


def _up(work: Work, node: Node, sight: DomainSight | None, path: str) -> float | None:
    op = work.operation
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
    host = work.host(node)
    work.ordered = True
    work.same_for("ordered")
    work.handle = work.attempt(
        lambda: host.begin_restore(path) if path else host.begin_start(work.operation.vm.uuid)
    )
    return SAMPLE_S


def _called(work: Work, node: Node, sight: DomainSight | None, path: str) -> float | None:
    caller, reason = work.caller()
    if sight is not None and sight.state in UP and sight.job is None:
        if path:
            leases.step(work.operation, step="spent", vm_values={"saved_spent": True})
        else:
            leases.step(work.operation, step="resume")
        return 0.0
    busy = sight is not None and (sight.has_process or sight.job is not None)
    if busy or caller == "running":
        work.same_for("coming up")
        if path and sight is not None and sight.job is not None:
            work.progress(sight.job, Phase.RESTORING)
        else:
            leases.renew(work.operation)
        return SAMPLE_S
    if work.same_for("nothing there") < SETTLE_S:
        return SAMPLE_S
    if not work.ordered:
        return _order(work, node, path)  # the worker that made the call died; on this node it can only be one
    name = work.operation.vm.name
    raise Trouble(reason or f"{name} did not come up on {node.name}.", reason)


def _spent(work: Work, node: Node, sight: DomainSight | None, path: str) -> float:
    host = work.host(node)
    if work.attempt(lambda: host.has_file(path)):
        work.attempt(lambda: host.delete_file(path))
    if work.attempt(lambda: host.has_file(path)):
        return SAMPLE_S
    leases.step(work.operation, step="resume", vm_values={"saved_file": "", "saved_spent": False})
    return 0.0


def _resume(work: Work, node: Node, sight: DomainSight | None, path: str) -> float | None:
    if sight is not None and sight.state == DomainState.RUNNING:
        return None
    if sight is not None and sight.state in UP:
        if any(answers for _, answers in work.other_copies(node)):
            raise Trouble(f"{work.operation.vm.name} was started elsewhere meanwhile, not by this order.")
        if sight.state == DomainState.PAUSED_IO and work.same_for("disk error") >= IO_PATIENCE_S:
            raise Trouble(sight.reason or f"{work.operation.vm.name} was stopped by a disk error.")
        work.attempt(lambda: work.host(node).resume(work.operation.vm.uuid))
        return SAMPLE_S if sight.state == DomainState.PAUSED_IO else 0.0
    if sight is not None and sight.has_process:
        return SAMPLE_S
    if work.same_for("gone") < SETTLE_S:
        return SAMPLE_S
    raise Trouble(f"{work.operation.vm.name} stopped on {node.name} before it could run.")


STEPS = {"called": _called, "spent": _spent, "resume": _resume}

#: What a VM that came up is written as.
RUNNING_VALUES = {"wanted": Wanted.RUNNING, "saved_file": "", "saved_spent": False}
