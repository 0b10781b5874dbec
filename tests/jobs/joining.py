"""Taking VMs that appeared on the simulated hosts into the cluster."""

from __future__ import annotations

from clustermgr.actions import clusters
from clustermgr.drivers.registry import connect
from clustermgr.jobs import readings
from clustermgr.models import Node
from tests.jobs.conftest import Stage


def join_new_vms(stage: Stage) -> None:
    for node in Node.objects.filter(cluster=stage.cluster):
        host = connect(node.driver, node.address)
        clusters.join(node=node, inventory=readings.inventory(node.pk, host, configs=True))
