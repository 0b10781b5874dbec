"""Tidying up nodes: definitions that were left behind when their machine went elsewhere, and autostart.

Looks at both hosts first. A machine with a process or with a state that its host saved is left alone, and
so is the last definition that there is.
"""

from __future__ import annotations

import contextlib
import logging

from clustermgr.actions import leases, standing, tidying
from clustermgr.actions.marks import NO_AUTOSTART, TIDY
from clustermgr.celery import app
from clustermgr.core.stamps import was_ours
from clustermgr.core.states import ACTIVE, Level, OperationState
from clustermgr.drivers.contract import DomainState, DriverError
from clustermgr.jobs.hosts import connect_to
from clustermgr.jobs.work import Trouble, Work
from clustermgr.models import Node, Vm

log = logging.getLogger(__name__)
ADVICE = "Look at it on its host. When it is of no use, remove it there: virsh undefine --keep-nvram."


@app.task(name=TIDY)
def tidy(node_id: int, found: list[tuple[int, str]]) -> None:
    """Order the removal of what was left behind on a node; an operation does it, so that nobody moves it
    meanwhile. `found`: (VM, what the watch saw of it)."""
    node = Node.objects.filter(pk=node_id).first()
    seen = dict(found)
    for vm in Vm.objects.filter(pk__in=seen).select_related("owner", "cluster") if node else ():
        tidying.order(vm, node, seen[vm.pk])


@app.task(name=NO_AUTOSTART)
def forbid_autostart(node_id: int, vm_ids: list[int]) -> None:
    """The cluster starts its machines; one that its host starts as well would run twice after a failover."""
    node = Node.objects.select_related("cluster", "access").filter(pk=node_id).first()
    if node is None or not node.taken_in or not standing.acts(node.cluster_id):
        return
    try:
        with contextlib.closing(connect_to(node)) as host:
            for vm in Vm.objects.filter(pk__in=vm_ids).exclude(operations__state__in=ACTIVE):
                sight = host.sight(vm.uuid)
                if sight is not None and sight.autostart:
                    host.forbid_autostart(vm.uuid)
                    tidying.autostart_forbidden(vm, node)
    except DriverError as error:
        log.info("autostart on %s is as it was: %s", node, error.sentence)


def tidy_up(work: Work) -> None:
    """The program of a TIDY operation: one look at both hosts, one act, one look."""
    op, vm = work.operation, work.operation.vm
    node, owner = op.source, vm.owner
    if op.state == OperationState.CANCELLING or owner == node:
        return _end(work, OperationState.CANCELLED, f"Nothing was removed on {node.name}.")
    answered, sight = work.sight(node)
    if not answered:
        return _end(work, OperationState.FAILED, f"{node.name} does not answer; it is looked at again later.")
    if sight is None:
        return _end(work, OperationState.SUCCEEDED, f"{node.name} has no definition of {vm.name} any more.")
    if sight.has_process or sight.job is not None:
        return _keep(work, "it has a process there.")
    if sight.state == DomainState.SAVED:
        return _keep(work, "a state that the host itself saved lies there.")
    there, owners = work.sight(owner)
    if not there:
        text = f"{owner.name} does not answer, so the definition on {node.name} stays for now."
        return _end(work, OperationState.FAILED, text)
    if owners is None:
        return _keep(work, f"{owner.name} has none, so it is the last.")
    if not _put_there_by_us(work):
        return _keep(
            work, "it is neither stamped by this cluster nor equal to its copy of the configuration."
        )
    return _remove(work)


def _put_there_by_us(work: Work) -> bool:
    """By its stamp, or because it is what the cluster and the owner have anyway. A machine of somebody else,
    or a copy that was changed by hand, may be the only one of its kind."""
    vm = work.operation.vm
    try:
        found = work.host(work.operation.source).read_config(vm.uuid)
        owners = work.host(vm.owner).read_config(vm.uuid)
    except DriverError:
        return False
    own = standing.identity(vm.cluster_id)
    return was_ours(own, vm.uuid, found.stamp) or found.fingerprint in (vm.fingerprint, owners.fingerprint)


def _remove(work: Work) -> None:
    op, vm = work.operation, work.operation.vm
    node = op.source
    leases.step(op, step="remove", phase=op.phase)
    try:
        work.attempt(lambda: work.host(node).undefine(vm.uuid))
    except Trouble as trouble:
        return _keep(work, trouble.sentence)
    answered, sight = work.sight(node)
    if not answered or sight is not None:
        text = f"Whether the definition on {node.name} is gone is seen by the next look."
        return _end(work, OperationState.FAILED, text)
    outcome = f"A definition of {vm.name} that was left behind on {node.name} was removed."
    return _end(work, OperationState.SUCCEEDED, outcome, code="stale_definition_removed")


def _keep(work: Work, reason: str) -> None:
    op = work.operation
    leases.step(op, step=tidying.KEPT)
    outcome = f"The definition of {op.vm.name} on {op.source.name} was left: {reason}"
    _end(work, OperationState.FAILED, outcome, "stale_definition_kept", Level.WARNING, ADVICE, reason)


def _end(
    work: Work,
    state: OperationState,
    outcome: str,
    code: str = "",
    level: Level = Level.INFO,
    advice: str = "",
    reason: str = "",
) -> None:
    op = work.operation
    leases.settle(
        op,
        state,
        outcome=outcome,
        code=code,
        level=level,
        advice=advice,
        params={"node": op.source.name, "owner": op.vm.owner.name, "reason": reason},
    )
