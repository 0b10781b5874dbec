"""Making the marker of a session on a shared volume, reading it back through another node, and deleting old
ones. Every call may be repeated: what this session made is recognised by its nonce."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator

from celery.signals import worker_init
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, connection

from clustermgr.actions import claims, standing
from clustermgr.actions.claims import CLAIM
from clustermgr.actions.markers import SWEEP
from clustermgr.celery import app
from clustermgr.core.markers import ClaimState, Marker, newest_copy, older, read_back
from clustermgr.drivers.contract import DriverError, HostDriver
from clustermgr.jobs.hosts import connect_to
from clustermgr.models import Claim, Node, Volume
from clustermgr.queries.claims import NOWHERE, places

log = logging.getLogger(__name__)


class CopyFound(Exception):
    """Another copy of this installation has a marker on a volume."""

    def __init__(self, volume: str, marker: Marker) -> None:
        super().__init__(volume)
        self.volume, self.marker = volume, marker


class Overtaken(Exception):
    """A later session began meanwhile."""


@worker_init.connect
def _start(**_: object) -> None:
    """Before this process takes its first message."""
    try:
        claims.begin_unwatched()
    except (DatabaseError, ObjectDoesNotExist) as error:
        log.warning("no session was begun at the start: %s", error)
    finally:
        connection.close()


@app.task(name=CLAIM)
def claim(cluster_id: int) -> None:
    """Claim the session that is to be claimed, on the first volume that allows it; or stand down."""
    wanted = claims.wanted(cluster_id)
    if wanted is None:
        return
    try:
        _claim(wanted)
    finally:
        claims.leave(wanted)


def _claim(wanted: Claim) -> None:
    troubles: list[str] = []
    try:
        for volume, nodes in places(wanted.cluster_id, wanted.volume):
            with contextlib.ExitStack() as stack:
                if _held(wanted, volume, list(_reached(nodes, stack, troubles)), troubles):
                    claims.held(wanted, volume)
                    return
    except Overtaken:
        return
    except CopyFound as found:
        standing.found_copy(wanted.cluster_id, found.volume, found.marker)
        return
    if troubles:
        log.info("cluster %s: %s is not claimed now: %s", wanted.cluster_id, wanted, "; ".join(troubles))
    claims.not_held(wanted, troubles[-1] if troubles else NOWHERE)


def _reached(
    nodes: Iterable[Node], stack: contextlib.ExitStack, troubles: list[str]
) -> Iterator[tuple[Node, HostDriver]]:
    for node in nodes:
        try:
            yield node, stack.enter_context(contextlib.closing(connect_to(node)))
        except DriverError as error:
            troubles.append(f"{node.name}: {error.sentence}")


def _held(wanted: Claim, volume: str, hosts: list[tuple[Node, HostDriver]], troubles: list[str]) -> bool:
    """Whether the marker stands, made now or before, and another node sees it. Raises CopyFound, Overtaken
    (never a driver's error: those go to `troubles`)."""
    for node, host in hosts if len(hosts) > 1 else ():
        nonce = claims.nonce_for(wanted, node.pk)
        if nonce is None:
            raise Overtaken
        try:
            host.claim_marker(volume, claims.session(wanted).name, nonce)
        except DriverError as error:
            troubles.append(f"{volume} on {node.name}: {error.sentence}")
            continue
        unseen = 0
        for reader, via in sorted(hosts, key=lambda each: each[0] == node):  # the maker itself at last
            try:
                if _proves(wanted, volume, reader, via):
                    return True
                unseen += reader != node
            except DriverError as error:
                troubles.append(f"{volume} on {reader.name}: {error.sentence}")
        if unseen:
            where = f"What {node.name} writes on {volume}, no other node sees"
            troubles.append(f"{where}. Look whether it is mounted on each.")
    return False


def _proves(wanted: Claim, volume: str, node: Node, host: HostDriver) -> bool:
    """Whether this node sees the marker that another one made. Such a list shows every copy that was there
    before, too. Raises DriverError, CopyFound, Overtaken."""
    listed = host.markers(volume)
    if newest_copy(claims.session(wanted), listed) is not None and not claims.renew(wanted):
        raise Overtaken
    own = claims.session(wanted)
    copy = newest_copy(own, listed)
    if copy is not None:
        raise CopyFound(volume, copy)
    return read_back(own, str(node.pk), listed)


@app.task(name=SWEEP)
def sweep(node_id: int, volume: str) -> None:
    """Delete this cluster's markers of earlier sessions, as one node sees them; never another's."""
    node = Node.objects.select_related("cluster", "access").filter(pk=node_id).first()
    row = Claim.objects.filter(cluster__nodes=node_id, state=ClaimState.HELD).first()
    place = Volume.objects.filter(cluster__nodes=node_id, name=volume).first()
    if node is None or row is None or place is None or node.cluster.stood_down_at is not None:
        return
    try:
        with contextlib.closing(connect_to(node)) as host:
            for name in older(claims.session(row), host.markers(volume)):
                host.delete_file(f"{place.path.rstrip('/')}/{name}")
    except DriverError as error:
        log.info("old markers on %s stay for now: %s", volume, error.sentence)
