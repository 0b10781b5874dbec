"""What becomes of an order whose cluster stood down by itself: nothing more is begun (safety.md 7.2).

Another manager may be the right one. An order that has begun nothing ends; one in the middle waits.
"""

from __future__ import annotations

from clustermgr.actions import leases
from clustermgr.core.states import OperationKind, OperationState, VmState
from clustermgr.core.words import KINDS
from clustermgr.jobs.work import SILENT_S, StandsDown, Work

#: Its rows were looked at and no host was told anything, also in this step.
UNTIL_CALLED = (OperationKind.START, OperationKind.RECOVERY)


def stand_still(work: Work, met: StandsDown) -> float | None:
    """The step that met it is made again once the cluster is managed from here; None when the order ended."""
    op = work.operation
    if _begun(work):
        work.note(f"{op.cluster} stands down, so nothing more is begun. {met.reason}")
        leases.renew(op)
        work.stalled = True
        return SILENT_S
    # A recovery that found no node yet: the engine takes it up again when the cluster is managed.
    failed = op.kind == OperationKind.RECOVERY and op.vm.state != VmState.FAILED
    leases.settle(
        op,
        OperationState.CANCELLED,
        outcome=f"Cancelled before it began: {op.cluster} stood down.",
        code="order_cancelled",
        vm_state=VmState.FAILED if failed else None,
        vm_reason=op.memory.get("why", "") if failed else "",
        params={"what": KINDS[op.kind]},
    )
    return None


def _begun(work: Work) -> bool:
    op = work.operation
    if "definition" in op.memory:
        return True  # a revocation took it from its host, and it is not back there
    return op.step != "begin" and not (op.step == "up" and op.kind in UNTIL_CALLED)
