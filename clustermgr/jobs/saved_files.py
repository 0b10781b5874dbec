"""Saved states that may never be restored again: deleted through a node that reaches them, and seen gone."""

from __future__ import annotations

from collections.abc import Iterator

from clustermgr.drivers.contract import DriverError, HostUnreachable
from clustermgr.jobs.work import Work
from clustermgr.models import Node, VolumeAccess


def spend(work: Work, node: Node, path: str) -> str:
    """Delete the state from which `node` made the copy that it has; why that cannot be done now, or nothing.
    Another node's word counts only where it had the file itself."""
    said = ""
    for each in nodes(work, node):
        try:
            had, has = delete(work, each, path)
        except HostUnreachable as silence:
            work.forget(each)
            said = said or silence.sentence
        except DriverError as error:
            said = said or error.sentence
        else:
            if not has and (had or each == node):
                return ""
            said = said or f"{each.name} {'still has it' if has else 'does not see it'}."
    return said


def gone(work: Work, node: Node, path: str) -> bool:
    """Delete a state that `node` may have begun to restore; whether it was seen gone. "Not there" may be said
    of a folder whose mount is lost: it counts when a second node that has the volume says so, too."""
    without = 0
    reach = list(_reaching(work))
    for each in dict.fromkeys([*nodes(work, node), *reach]):
        try:
            had, has = delete(work, each, path)
        except HostUnreachable:
            work.forget(each)
            continue
        except DriverError:
            continue  # this one does not reach the volume
        without += not has
        if not has and (had or without >= min(2, len(reach))):
            return True
    return False


def _reaching(work: Work) -> Iterator[Node]:
    """The nodes on which the VM's volume was usable when it was last seen."""
    volume = work.operation.vm.volume
    access = VolumeAccess.objects.filter(volume=volume, active=True, reachable=True)
    yield from (row.node for row in access.select_related("node") if volume is not None)


def nodes(work: Work, first: Node) -> Iterator[Node]:
    """The nodes of this order, each once."""
    op = work.operation
    yield from dict.fromkeys(n for n in (first, op.source, op.target, op.vm.owner) if n is not None)


def delete(work: Work, node: Node, path: str) -> tuple[bool, bool]:
    """(it had the file, it has it still). Raises HostUnreachable, DriverError when it does not reach it."""
    host = work.host(node)
    had = host.has_file(path)
    if had:
        work.call(lambda: host.delete_file(path))
    return had, host.has_file(path)
