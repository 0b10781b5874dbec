"""How an order ends when it does not succeed: failed, cancelled, held for an administrator, or frozen because
its VM has two copies. What is written is what was seen."""

from __future__ import annotations

from clustermgr.actions import leases
from clustermgr.core.states import Level, OperationState, VmState, Wanted
from clustermgr.core.words import KINDS
from clustermgr.jobs.bring_up import came_up
from clustermgr.jobs.definitions import put_back
from clustermgr.jobs.take_down import state_after
from clustermgr.jobs.work import Held, Trouble, Work
from clustermgr.models import Node


def fail(work: Work, node: Node, trouble: Trouble) -> None:
    """Settle as failed, with the VM in the state in which `node` shows it now. When nothing was ordered
    yet the VM's row is left alone: what the sweep sees stands."""
    op = work.operation
    lost = put_back(work)
    answered, sight = work.sight(node)
    touched = op.step not in ("begin", "apply")
    state = state_after(op.vm, sight) if answered and touched else None
    alive = sight is not None and sight.has_process
    leases.settle(
        op,
        OperationState.FAILED,
        outcome=f"{trouble.sentence} {lost}".strip(),
        advice="Mend what the sentence names, then try again.",
        raw=trouble.raw,
        code="order_failed",
        level=Level.ERROR,
        vm_state=state,
        vm_reason="" if alive else trouble.sentence,
        vm_values={"wanted": Wanted.RUNNING} if alive and touched else None,
        unheld=(node,) if answered and not alive and not trouble.held else (),
        params={"what": KINDS[op.kind], "reason": trouble.sentence, "node": node.name},
    )


def cancelled(work: Work, node: Node, left: str = "") -> None:
    op = work.operation
    answered, sight = work.sight(node)
    touched = answered and op.step != "begin"
    leases.settle(
        op,
        OperationState.CANCELLED,
        outcome=f"Cancelled; {op.vm.name} was left on {node.name} as it was. {left}".strip(),
        code="order_cancelled",
        vm_state=state_after(op.vm, sight) if touched else None,
        vm_values={"wanted": Wanted.RUNNING} if touched and sight is not None and sight.has_process else None,
        params={"what": KINDS[op.kind], "node": node.name},
    )


def hold(work: Work, held: Held) -> None:
    """What was ordered on a node can be neither used nor called off: the node stays a possible holder, and
    nobody starts the VM by itself (safety.md 1.4)."""
    op = work.operation
    reason = f"{held.sentence} {put_back(work)}".strip()
    leases.settle(
        op,
        OperationState.FAILED,
        outcome=reason,
        advice=f"See on {held.node.name} that nothing of it runs or comes up, then start it by hand.",
        raw=held.raw,
        code="vm_held",
        level=Level.CRITICAL,
        vm_state=VmState.OFF,
        vm_reason=reason,
        vm_values={"wanted": Wanted.OFF},
        params={"reason": reason},
    )


def running_twice(work: Work, node: Node, other: Node, *, cold: bool) -> None:
    """The order brought the VM up on `node`, and somebody else did so on `other`. The cluster's copy is the
    one on `node`; both are holders, and an administrator decides (safety.md 1.6)."""
    op, vm = work.operation, work.operation.vm
    leases.step(op, hold=other)
    names = " and ".join(sorted((node.name, other.name)))
    leases.settle(
        op,
        OperationState.FAILED,
        outcome=f"{vm.name} has a copy on {node.name}, by this order, and one on {other.name}, not by it.",
        advice="Decide which copy stays, and turn the other off on its host. Nothing is done by itself.",
        code="vm_running_twice",
        level=Level.CRITICAL,
        vm_state=VmState.RUNNING,
        vm_values={**came_up(cold=cold), "owner": node},
        params={"nodes": names},
    )
