"""Calls without an answer are revoked, so that a host which obeys late finds nothing to obey (safety.md 1.3).

A deadline ends our waiting, never the host's work: until the host was seen without domain and job, twice,
two seconds apart, its call may still succeed. Each revoking call has a child and a deadline of its own
(drivers), and is repeated, because every step looks first.
"""

from __future__ import annotations

from clustermgr.actions import leases
from clustermgr.drivers.contract import (
    DomainSight,
    DomainState,
    DriverError,
    Failed,
    HostUnreachable,
)
from clustermgr.jobs import saved_files
from clustermgr.jobs.definitions import definition_of
from clustermgr.jobs.work import HELD_AFTER_S, SAMPLE_S, SILENT_S, Held, Trouble, Work
from clustermgr.models import Node
from clustermgr.secrets import seal

SETTLE_S = 2.0
GIVEN_UP = "Its saved state was given up, because the node may have begun to restore it."


def doubtful(work: Work, node: Node, sight: DomainSight | None, trouble: Trouble, path: str) -> bool:
    """Whether a call on `node` must be revoked before this trouble may be told. Marks trouble that leaves the
    node a possible holder instead."""
    if not work.doubt or work.operation.step == "revoke":
        return False
    if path and node.pk == work.operation.vm.owner_id and work.operation.step != "resume":
        # Not resumed, and at home: a late copy is paused, and in it, or in the file, is all that the VM has.
        trouble.held = True
        return False
    if _resumed_only(work) and sight is None:
        return False
    # The host's own saved state goes with an undefine, and a late start from it can only end here.
    return sight is None or sight.state != DomainState.SAVED


def begin(work: Work, node: Node, trouble: Trouble, path: str) -> float:
    """Write down what is to be revoked, and why, before the first call that does it."""
    op = work.operation
    delete = bool(path) and op.step != "resume"  # else it was seen gone before
    why = f"{trouble.sentence} {GIVEN_UP}" if delete else trouble.sentence
    memory = {**op.memory, "why": why, "raw": trouble.raw, "delete": delete}
    if node.pk == op.vm.owner_id and (definition := definition_of(work, node)):
        memory["definition"] = seal(definition)
    spent = {"saved_spent": True} if delete else None
    leases.step(op, step="revoke", memory=memory, vm_values=spent, wait_reason="")
    work.same_for("revoking")
    return 0.0


def revoke(work: Work, node: Node, sight: DomainSight | None, path: str) -> float:
    """One look and one act. Raises the Trouble that led here when it is certain that nothing comes late, and
    Held when that cannot be had within a minute."""
    try:
        return _revoke(work, node, sight, path)
    except HostUnreachable:
        raise
    except DriverError as error:
        why, raw = error.sentence, error.raw
    if work.met("not revoked") >= HELD_AFTER_S:
        begun = f"It may still come up on {node.name}, where that cannot be called off."
        raise Held(node, f"{work.operation.memory['why']} {begun} {why}", raw)
    work.note(why)
    leases.renew(work.operation)
    return SILENT_S


def _revoke(work: Work, node: Node, sight: DomainSight | None, path: str) -> float:
    op, host = work.operation, work.host(node)
    if op.memory["delete"] and not saved_files.gone(work, node, path):
        raise Failed(f"No node can delete the saved state {path} now; {op.vm.name} waits for that.")
    defined = sight is not None and sight.persistent and _may_undefine(work, node)
    if defined:
        work.call(lambda: host.undefine(op.vm.uuid))
    alive = sight is not None and sight.has_process
    if alive:
        work.call(lambda: host.destroy(op.vm.uuid))
    gone = not defined and not alive and (sight is None or sight.job is None)
    if work.same_for(("gone", gone)) >= SETTLE_S and gone:
        raise Trouble(op.memory["why"], op.memory["raw"])
    leases.renew(op)
    return SAMPLE_S


def _may_undefine(work: Work, node: Node) -> bool:
    """Where it can be put back, or is not at home; a late resume is revoked without."""
    op = work.operation
    return not _resumed_only(work) and ("definition" in op.memory or node.pk != op.vm.owner_id)


def _resumed_only(work: Work) -> bool:
    """The copy was there before this order: a late resume is all there can be, and needs the process."""
    return bool(work.operation.memory.get("how") == "resume")
