"""Putting the manager's stamp on virtual machines, node by node. What fails is asked for again by the sweep;
nothing waits for it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable

from clustermgr.actions import standing
from clustermgr.celery import app
from clustermgr.core import stamps
from clustermgr.core.stamps import Identity, Mark, Stamp
from clustermgr.core.states import ACTIVE, NodeState
from clustermgr.drivers.contract import DriverError, HostDriver
from clustermgr.jobs.hosts import connect_to
from clustermgr.models import Node, Vm
from clustermgr.ports import runner

log = logging.getLogger(__name__)
STAMP = "clustermgr.jobs.stamps.stamp"


@app.task(name=standing.STAMP)
def stamp_all(cluster_id: int) -> None:
    """Every machine of a cluster: after a take-over. One message for each node that is up."""
    for node in Node.objects.filter(cluster=cluster_id, state=NodeState.UP).values_list("pk", flat=True):
        vms = list(Vm.objects.filter(owner=node).values_list("pk", flat=True))
        runner().enqueue(STAMP, node, vms, queue="default")


@app.task(name=STAMP)
def stamp(node_id: int, vm_ids: list[int]) -> None:
    """These machines on their owner, where the stamp is missing or old. Finds what belongs to others."""
    node = Node.objects.select_related("cluster", "access").filter(pk=node_id).first()
    if node is None or not standing.acts(node.cluster_id):
        return
    try:
        host = connect_to(node)
    except DriverError as error:
        log.info("no stamps on %s now: %s", node, error.sentence)
        return
    with contextlib.closing(host):
        found = [(vm.name, rival) for vm in _free(vm_ids) if (rival := _stamp(host, node, vm)) is not None]
    if found:
        standing.found_rivals(node, found)


def _free(vm_ids: Iterable[int]) -> Iterable[Vm]:
    """Those that no order holds: a job of the host's own would make the call wait, and the call that job."""
    rows = Vm.objects.filter(pk__in=list(vm_ids)).exclude(operations__state__in=ACTIVE)
    return rows.only("name", "uuid", "owner", "cluster")


def _stamp(host: HostDriver, node: Node, vm: Vm) -> Stamp | None:
    """Look, and write where nothing stands in the way; the rival's stamp when one does."""
    if Vm.objects.filter(pk=vm.pk, operations__state__in=ACTIVE).exists():
        return None
    me: Identity = standing.identity(vm.cluster_id)
    try:
        config = host.read_config(vm.uuid)
        mark, other = stamps.read(me, vm.uuid, (config.stamp, config.running_stamp))
        if mark == Mark.MISSING and standing.acts(vm.cluster_id):
            host.stamp(vm.uuid, me.stamp(vm.uuid))
    except DriverError as error:
        log.info("%s was not stamped on %s: %s", vm.name, node, error.sentence)
        return None
    return other if mark == Mark.RIVAL else None
