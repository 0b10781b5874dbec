"""Reading a whole host and taking it into the cluster: when it is added, and when VMs are looked for anew."""

from __future__ import annotations

import logging

from clustermgr.actions import clusters
from clustermgr.drivers.contract import DriverError
from clustermgr.errors import ActionRefused
from clustermgr.jobs import readings
from clustermgr.jobs.hosts import connect_to
from clustermgr.models import Node, Vm

log = logging.getLogger(__name__)


def take_in(node: Node, hints: clusters.Hints | None = None) -> list[Vm]:
    """Read one host and make roles of the VMs found there. Raises DriverError when it does not answer."""
    host = connect_to(node)
    try:
        found = readings.inventory(node.pk, host, configs=True)
    finally:
        host.close()
    return clusters.join(node=node, inventory=found, hints=hints)


def take_in_all(nodes: list[Node], hints: clusters.Hints | None = None) -> list[str]:
    """The same for several; a sentence for each that did not answer. The watch reads those when they do."""
    silent = []
    for node in nodes:
        try:
            take_in(node, hints)
        except DriverError as error:
            silent.append(f"{node.name} was not read: {error.sentence}")
        except ActionRefused as refusal:
            silent.append(f"{node.name} was not taken in: {refusal}")
    return silent
