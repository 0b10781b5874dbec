"""Two clusters side by side: each has its own slots, engine, events and versions; nothing crosses over."""

from __future__ import annotations

import pytest

from clustermgr.access import CLUSTER
from clustermgr.actions import clusters, operations, vms
from clustermgr.core.states import OperationState
from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.registry import connect
from clustermgr.errors import ActionRefused
from clustermgr.jobs import readings
from clustermgr.jobs.engine import decide
from clustermgr.models import Cluster, Event, Node, Operation, Slot, Vm
from clustermgr.queries.verdicts import for_move
from tests.jobs.conftest import Stage
from tests.jobs.test_recovery import crash


@pytest.fixture
def branch(stage: Stage) -> Cluster:
    """A second cluster on hosts of the same kind: b1 runs `till`, b2 is empty."""
    for name in ("b1", "b2"):
        stage.world.node(name)
    stage.world.vm("till", on="b1")
    cluster = clusters.create_cluster(actor=CLUSTER, name="Branch")
    for name in ("b1", "b2"):
        address = f"lab:{name}"
        node = clusters.add_node(actor=CLUSTER, cluster=cluster, name=name, driver="lab", address=address)
        host = connect(node.driver, node.address)
        clusters.join(node=node, inventory=readings.inventory(node.pk, host, configs=True))
    stage.runner.enqueued.clear()
    return cluster


def till() -> Vm:
    return Vm.objects.select_related("owner", "cluster").get(name="till")


def test_a_node_of_the_other_cluster_is_neither_offered_nor_accepted(stage: Stage, branch: Cluster) -> None:
    assert {verdict.name for verdict in for_move(till(), "live_migration")} == {"b1", "b2"}
    with pytest.raises(ActionRefused, match="There is no node called “n1” in Branch"):
        vms.live_migrate(actor=stage.actor, vm=till(), target=stage.node("n1"))


def test_a_move_in_one_does_not_wait_for_a_move_in_the_other(stage: Stage, branch: Cluster) -> None:
    first = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"))
    second = vms.live_migrate(actor=stage.actor, vm=till(), target=Node.objects.get(name="b2"))
    operations.admit_waiting(stage.cluster)
    operations.admit_waiting(branch)
    assert Slot.objects.filter(operation=first).count() == Slot.objects.filter(operation=second).count() == 2


def test_admission_and_engine_act_in_their_own_cluster_alone(stage: Stage, branch: Cluster) -> None:
    crash(stage, "web")
    decide(branch.pk)
    assert not Operation.objects.exists()
    decide(stage.cluster.pk)
    stage.run()
    assert stage.where("web") == {"n1": DomainState.RUNNING}
    assert not Operation.objects.filter(cluster=branch).exists()


def test_history_and_versions_are_kept_apart(stage: Stage, branch: Cluster) -> None:
    before = Cluster.objects.get(pk=branch.pk).version
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"))
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert Cluster.objects.get(pk=branch.pk).version == before
    assert not Event.objects.filter(cluster=branch, vm__name="web").exists()


def test_a_host_belongs_to_one_cluster(stage: Stage, branch: Cluster) -> None:
    with pytest.raises(ActionRefused, match="is already the node n1 of Test"):
        clusters.add_node(actor=CLUSTER, cluster=branch, name="thief", driver="lab", address="lab:n1")
