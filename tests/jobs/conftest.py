"""A small cluster on simulated hosts under virtual time: at first, rows and hosts agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from clustermgr.access import CLUSTER, Actor
from clustermgr.actions import clusters
from clustermgr.core.states import Role
from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.lab import store
from clustermgr.drivers.lab.faults import Faults
from clustermgr.drivers.lab.world import World
from clustermgr.drivers.registry import connect
from clustermgr.jobs import readings
from clustermgr.models import Cluster, Node, Operation, Vm
from tests.fakes import RecordingRunner, VirtualClock

ANA = Actor(name="ana", role=Role.ADMINISTRATOR, origin="test")


@dataclass
class Stage:
    """The hosts (`world`, `faults`), the cluster's rows, and what a worker would do next (`run`)."""

    world: World
    faults: Faults
    clock: VirtualClock
    runner: RecordingRunner
    cluster: Cluster
    actor: Actor = ANA

    def node(self, name: str) -> Node:
        return Node.objects.get(cluster=self.cluster, name=name)

    def vm(self, name: str) -> Vm:
        return Vm.objects.select_related("owner").get(cluster=self.cluster, name=name)

    def run(self) -> None:
        self.runner.drain()

    def where(self, name: str) -> dict[str, DomainState]:
        """The truth on the hosts: node -> state of each process of this VM."""
        return self.world.processes(self.vm(name).uuid)

    def fresh(self, operation: Operation) -> Operation:
        return Operation.objects.get(pk=operation.pk)


@pytest.fixture
def stage(
    transactional_db: None,
    clock: VirtualClock,
    runner: RecordingRunner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    """n1 runs web (2 GB) and db (4 GB), n2 runs app, n3 is empty; `idle` is off on n1. One CSV."""
    monkeypatch.setenv(store.ENV, str(tmp_path / "lab.sqlite3"))
    world = World.build(store.default())
    for name in ("n1", "n2", "n3"):
        world.node(name)
    world.vm("web", on="n1")
    world.vm("db", on="n1", memory_mib=4096)
    world.vm("app", on="n2")
    world.vm("idle", on="n1", state="off")
    cluster = clusters.create_cluster(actor=CLUSTER, name="Test")
    for name in ("n1", "n2", "n3"):
        node = clusters.add_node(
            actor=CLUSTER, cluster=cluster, name=name, driver="lab", address=f"lab:{name}"
        )
        host = connect(node.driver, node.address)
        clusters.join(node=node, inventory=readings.inventory(node.pk, host, configs=True))
    runner.enqueued.clear()
    return Stage(world, Faults(world), clock, runner, cluster)
