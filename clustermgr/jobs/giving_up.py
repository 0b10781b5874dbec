"""Ending an order that waits for a silent host, because somebody cancelled it: its holders stay, so that what
the host may still do is ruled out, and the outcome says what may run where."""

from __future__ import annotations

from typing import Any

from clustermgr.actions import leases
from clustermgr.core.states import Level, OperationKind, OperationState, VmState, Wanted, may_be_given_up
from clustermgr.core.words import KINDS
from clustermgr.drivers.contract import DriverError
from clustermgr.jobs.definitions import put_back
from clustermgr.jobs.work import StandsDown, Work

NEXT = "Start {nodes}, or the libvirt daemon there; then it is seen what became of {vm}."


def given_up(work: Work) -> bool:
    """Whether the cancelled order was ended here. It was just seen that its host does not answer."""
    op = work.operation
    cancelled = op.state == OperationState.CANCELLING and bool(work.silent)
    if not cancelled or not may_be_given_up(op.kind, op.step, op.params):
        return False
    try:
        lost = put_back(work)
    except (DriverError, StandsDown):
        return False  # a revocation took the owner's definition, and that is owed
    nodes = " and ".join(sorted(node.name for node in work.silent.values()))
    words = {"vm": op.vm.name, "nodes": nodes}
    if op.kind == OperationKind.SETTINGS:
        left = "whether its settings were changed there is seen when it answers"
        values: dict[str, Any] = {}
    else:
        left = f"{op.vm.name} may still run there, and is started nowhere else until that is ruled out"
        # Its word counts for the engine, too: nothing starts it by itself until somebody does.
        values = {
            "vm_state": VmState.UNMONITORED,
            "vm_reason": f"It may run on {nodes}, which did not answer when its order was cancelled.",
            "vm_values": {"wanted": Wanted.OFF},
        }
    leases.settle(
        op,
        OperationState.CANCELLED,
        outcome=f"Cancelled while {nodes} did not answer: {left}. {lost}".strip(),
        advice=NEXT.format(**words),
        code="order_cancelled",
        level=Level.WARNING,
        params={"what": KINDS[op.kind]},
        **values,
    )
    return True
