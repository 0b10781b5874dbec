"""A VM's definition on its way between nodes: given to one, left behind on another, put back at home.

A definition alone runs nothing; what starts from it is the business of bring_up.
"""

from __future__ import annotations

from clustermgr.drivers.contract import DomainState, DriverError, HostUnreachable, NotFound
from clustermgr.jobs.work import HELD_AFTER_S, PATIENCE_S, Occupied, StandsDown, Trouble, Unbegun, Work
from clustermgr.models import Node
from clustermgr.secrets import unseal


def check_free(work: Work, node: Node) -> None:
    """The VM may be given to `node`: it has no copy there, and no state from which a start would go on.
    Raises Occupied, Unbegun, HostUnreachable."""
    vm = work.operation.vm
    sight = work.first_sight(node)
    if sight is not None and sight.has_process:
        raise Occupied(f"{node.name} already has a process of {vm.name}.")
    if sight is not None and sight.state == DomainState.SAVED:
        raise Unbegun(
            f"{node.name} itself keeps a saved state of {vm.name}, which is older than its disks. "
            f"Remove it there: virsh managedsave-remove {vm.name}."
        )


def give(work: Work, source: Node, node: Node) -> None:
    """Define on `node` what is agreed, whatever definition was left there before. Raises Trouble."""
    check_free(work, node)
    definition = definition_of(work, source)
    work.attempt(lambda: work.host(node).define(definition, work.stamp()))


def leave(work: Work, node: Node) -> None:
    """Forget the VM on the node that it left. Raises Trouble, and HostUnreachable for a while: it was seen
    off there, and a definition that stays behind runs nothing."""
    try:
        work.attempt(lambda: work.host(node).undefine(work.operation.vm.uuid))
    except StandsDown as met:
        raise Trouble(met.reason) from met
    except HostUnreachable:
        work.forget(node)
        if work.same_for("home is silent") < PATIENCE_S:
            raise


def put_back(work: Work) -> str:
    """Give the VM's owner the definition back that revoking took; why it has none, when its host refused it
    for a minute. Raises HostUnreachable, DriverError."""
    op, owner = work.operation, work.operation.vm.owner
    kept = op.memory.get("definition")
    if not kept or work.host(owner).sight(op.vm.uuid) is not None:
        return ""
    try:
        work.call(lambda: work.host(owner).define(unseal(kept), work.stamp()))
    except HostUnreachable:
        raise
    except DriverError as error:
        if work.met("no definition") < HELD_AFTER_S:
            raise
        return f"{owner.name} does not take its definition back, of which a copy is kept: {error.sentence}"
    return ""


def definition_of(work: Work, node: Node) -> str:
    """As `node` has it, while that answers; else as it was before a revocation; else the cluster's copy."""
    op = work.operation
    try:
        return work.host(node).read_config(op.vm.uuid).definition
    except NotFound:
        pass  # a revocation took it
    except HostUnreachable:
        work.forget(node)
    return unseal(op.memory.get("definition") or op.vm.definition)
