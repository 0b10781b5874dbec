"""Stamps on simulated hosts under virtual time: written by the sweep, and a second manager found by them."""

from __future__ import annotations

import pytest

from clustermgr.actions import clusters, standing, vms
from clustermgr.core.states import NodeState, OperationState, VmState
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.drivers.registry import connect
from clustermgr.errors import ActionRefused
from clustermgr.jobs import readings
from clustermgr.models import Cluster, Event, Installation, Node, Vm
from tests.jobs.conftest import Stage
from tests.jobs.test_watch import Watch


@pytest.fixture
def watch(stage: Stage) -> Watch:
    return Watch(stage)


def stamps(stage: Stage, name: str) -> tuple[str, str | None]:
    vm = stage.vm(name)
    read = connect("lab", f"lab:{vm.owner.name}").read_config(vm.uuid)
    return read.stamp, read.running_stamp


def ours(stage: Stage, name: str) -> str:
    return standing.identity(stage.cluster.pk).stamp(stage.vm(name).uuid)


def swept(stage: Stage, watch: Watch, seconds: int = 62) -> None:
    """The watch looks for so long, and workers do what it asks for."""
    for _ in range(seconds):
        watch.seconds(1)
        stage.run()


def plant(stage: Stage, name: str, manager: str, epoch: int = 1, of: str = "") -> None:
    vm = stage.vm(name)
    text = f"manager={manager} epoch={epoch} vm={of or vm.uuid}"
    OnHost(stage.world, vm.owner.name).stamp(vm.uuid, text)


def cluster(stage: Stage) -> Cluster:
    return Cluster.objects.get(pk=stage.cluster.pk)


def test_each_machine_is_stamped_within_a_sweep_and_that_is_no_drift(stage: Stage, watch: Watch) -> None:
    swept(stage, watch)
    for name in ("web", "db", "app"):
        assert stamps(stage, name) == (ours(stage, name), ours(stage, name))
    assert stamps(stage, "idle") == (ours(stage, "idle"), None)
    assert not Event.objects.filter(code="drift_found").exists()


def test_stamped_machines_cost_nothing_more(stage: Stage, watch: Watch) -> None:
    swept(stage, watch)
    version = cluster(stage).version
    swept(stage, watch)
    assert cluster(stage).version == version
    assert stage.runner.enqueued == []


def test_a_clones_stamp_is_no_alarm_and_is_replaced(stage: Stage, watch: Watch) -> None:
    plant(stage, "db", "somebody", epoch=5, of=stage.vm("web").uuid)
    swept(stage, watch)
    assert stamps(stage, "db")[0] == ours(stage, "db")
    assert cluster(stage).stood_down_at is None


def test_a_machine_that_moves_keeps_its_stamp(stage: Stage, watch: Watch) -> None:
    swept(stage, watch)
    vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    vms.move(actor=stage.actor, vm=stage.vm("idle"), target=stage.node("n3"))
    stage.run()
    assert {stage.vm(name).owner.name for name in ("web", "idle")} == {"n3"}
    assert stamps(stage, "web") == (ours(stage, "web"), ours(stage, "web"))
    assert stamps(stage, "idle") == (ours(stage, "idle"), None)


def test_a_machine_that_nobody_stamped_yet_is_stamped_where_it_is_defined(stage: Stage) -> None:
    vms.move(actor=stage.actor, vm=stage.vm("idle"), target=stage.node("n3"))
    stage.run()
    assert stamps(stage, "idle") == (ours(stage, "idle"), None)


def test_a_stamp_that_cannot_be_written_is_tried_again_and_stops_no_move(stage: Stage, watch: Watch) -> None:
    watch.seconds(12)
    stage.faults.agent_off("n2")
    stage.run()
    assert stamps(stage, "web")[0]
    stage.faults.agent_on("n2")
    assert stamps(stage, "app")[0] == ""
    swept(stage, watch)
    assert stamps(stage, "app")[0] == ours(stage, "app")


def test_another_managers_stamp_stands_the_cluster_down(stage: Stage, watch: Watch) -> None:
    plant(stage, "web", "somebody", epoch=4)
    swept(stage, watch, 15)
    found = cluster(stage)
    assert found.stood_down_at is not None
    assert found.stood_down_by == ""
    assert found.rivals == {"somebody": 4}
    event = Event.objects.get(code="second_manager")
    assert event.level == "critical"
    assert "web on n1 carries the stamp of another manager (somebody, epoch 4)." in event.params["reason"]
    assert stamps(stage, "web")[0].startswith("manager=somebody")


def test_a_newer_twin_of_this_installation_stands_it_down(stage: Stage, watch: Watch) -> None:
    plant(stage, "app", standing.installation().manager_id, epoch=2)
    swept(stage, watch, 15)
    assert "a newer stamp of this very installation" in cluster(stage).stood_down_reason


def test_a_cluster_that_stands_down_is_looked_at_and_not_touched(stage: Stage, watch: Watch) -> None:
    standing.stand_down(actor=stage.actor, cluster=stage.cluster, reason="Somebody works on the storage.")
    stage.faults.crash(stage.vm("web").uuid)
    swept(stage, watch, 100)
    assert stage.vm("web").state == VmState.FAILED
    assert stage.where("web") == {}
    assert stamps(stage, "db") == ("", "")
    standing.resume(actor=stage.actor, cluster=stage.cluster)
    swept(stage, watch, 30)
    assert stage.vm("web").state == VmState.RUNNING
    assert stamps(stage, "db")[0] == ours(stage, "db")


def test_what_waits_is_cancelled_and_what_runs_goes_on_to_its_end(stage: Stage) -> None:
    first = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    second = vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n3"))
    while stage.fresh(first).state == OperationState.QUEUED:
        entry = stage.runner.enqueued.pop(0)
        if entry.task.endswith("admit"):
            from clustermgr.jobs.operations import admit

            admit(*entry.args)
        else:
            from clustermgr.actions import leases

            assert leases.claim(first.pk, "worker")
            leases.release(first.pk, "worker")
    standing.stand_down(actor=stage.actor, cluster=stage.cluster, reason="A test.")
    stage.runner.enqueue("clustermgr.jobs.operations.drive", first.pk)
    stage.run()
    assert stage.fresh(first).state == OperationState.SUCCEEDED
    assert stage.fresh(second).state == OperationState.CANCELLED
    assert "Test stood down" in stage.fresh(second).outcome


def test_a_take_over_stamps_all_anew_and_leaves_the_other_overruled(stage: Stage, watch: Watch) -> None:
    plant(stage, "web", "somebody", epoch=4)
    swept(stage, watch, 15)
    before = Installation.objects.get().epoch
    standing.take_over(actor=stage.actor, cluster=stage.cluster, confirm="Test")
    stage.run()
    assert Installation.objects.get().epoch == before + 1
    for name in ("web", "db", "app", "idle"):
        assert stamps(stage, name)[0] == ours(stage, name)
    swept(stage, watch)
    assert cluster(stage).stood_down_at is None
    plant(stage, "web", "somebody", epoch=5)
    swept(stage, watch, 15)
    assert cluster(stage).rivals == {"somebody": 5}


def test_only_a_take_over_ends_what_the_cluster_found_by_itself(stage: Stage, watch: Watch) -> None:
    plant(stage, "web", "somebody")
    swept(stage, watch, 15)
    with pytest.raises(ActionRefused, match="take over management"):
        standing.resume(actor=stage.actor, cluster=stage.cluster)
    with pytest.raises(ActionRefused, match="Type the name of the cluster, Test"):
        standing.take_over(actor=stage.actor, cluster=stage.cluster, confirm="yes")
    assert cluster(stage).stood_down_at is not None


def joining(stage: Stage) -> Node:
    """A host n4 with a machine of another manager, as a node that was just added."""
    stage.world.node("n4")
    theirs = stage.world.vm("theirs", on="n4")
    OnHost(stage.world, "n4").stamp(theirs, f"manager=somebody epoch=2 vm={theirs}")
    return clusters.add_node(
        actor=stage.actor, cluster=stage.cluster, name="n4", driver="lab", address="lab:n4"
    )


def test_a_host_with_anothers_machines_is_kept_out_until_it_is_taken_over(stage: Stage, watch: Watch) -> None:
    node = joining(stage)
    swept(stage, watch, 40)
    node.refresh_from_db()
    assert node.state == NodeState.JOINING
    assert "theirs" in node.state_reason
    assert not Vm.objects.filter(name="theirs").exists()
    assert Event.objects.filter(code="foreign_host", level="critical").count() == 1
    assert cluster(stage).stood_down_at is None  # nothing of this cluster is touched by the other
    standing.take_over(actor=stage.actor, cluster=stage.cluster, confirm="Test")
    swept(stage, watch)
    assert stage.node("n4").state == NodeState.UP
    assert stamps(stage, "theirs")[0] == ours(stage, "theirs")


def test_a_job_that_reads_such_a_host_adopts_nothing(stage: Stage) -> None:
    node = joining(stage)
    found = readings.inventory(node.pk, connect("lab", "lab:n4"), configs=True)
    with pytest.raises(ActionRefused, match="managed from elsewhere: theirs"):
        clusters.join(node=node, inventory=found)
    assert not Vm.objects.filter(name="theirs").exists()
