"""Removing a role from the cluster: the stamp is taken off where the host answers, then the row goes.

Nothing else of the VM is touched. A host that does not answer keeps nobody waiting for long.
"""

from __future__ import annotations

from clustermgr.actions import removal, standing
from clustermgr.core import stamps
from clustermgr.core.health import SILENT_STATES
from clustermgr.core.stamps import Mark
from clustermgr.core.words import state_word
from clustermgr.drivers.contract import DriverError, HostUnreachable, NotFound
from clustermgr.jobs.work import PATIENCE_S, Work
from clustermgr.models import Node
from clustermgr.ports import clock
from clustermgr.queries.membership import possible_nodes


def leave_cluster(work: Work) -> None:
    """The program of a REMOVAL operation: a look and an act at each node that may have it, then the end."""
    op = work.operation
    why = {node.name: _unstamp(work, node) for node in possible_nodes(op.vm)}
    removal.settle(op, {name: reason for name, reason in why.items() if reason})


def _unstamp(work: Work, node: Node) -> str:
    """Take the stamp off the VM's definition and process there; why it stays, or nothing. Raises DriverError
    while that may still change."""
    if node.state in SILENT_STATES:
        return f"{node.name} is {state_word(node.state)}."
    try:
        return _looked(work, node)
    except NotFound:
        return ""
    except DriverError as error:
        if isinstance(error, HostUnreachable):
            work.forget(node)
        if (clock().now() - work.operation.started_at).total_seconds() < PATIENCE_S:
            raise
        return error.sentence


def _looked(work: Work, node: Node) -> str:
    op, uuid = work.operation, work.operation.vm.uuid
    config = work.host(node).read_config(uuid)
    mark, _ = stamps.read(standing.identity(op.cluster_id), uuid, (config.stamp, config.running_stamp))
    if mark == Mark.RIVAL or op.cluster.stood_down_at is not None:
        return f"{node.name} may be managed from elsewhere."
    if config.stamp or config.running_stamp:
        work.call(lambda: work.host(node).stamp(uuid, ""))
    return ""
