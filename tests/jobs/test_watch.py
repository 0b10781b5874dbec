"""The watch on simulated hosts under virtual time: no thread, no waiting."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from clustermgr.actions import watching
from clustermgr.core.states import NodeState, VmState, Wanted
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.drivers.registry import connect
from clustermgr.jobs import eyes
from clustermgr.jobs.claims import claim
from clustermgr.jobs.watch import keep
from clustermgr.jobs.watcher import LeaseLost, Watcher
from clustermgr.models import Drift, Event, Holder, Node, Vm, WatchShard
from tests.jobs.conftest import Stage


class Watch:
    """A watcher whose eyes are looked through in turn, once in a virtual second. `claimed`: a worker has made
    the marker of its session at once."""

    def __init__(self, stage: Stage, owner: str = "me", *, claimed: bool = True) -> None:
        self.stage = stage
        self.watcher = Watcher(stage.cluster.pk, owner, threads=False)
        assert watching.take(stage.cluster.pk, owner)
        self.watcher.tick()
        if claimed:
            claim(stage.cluster.pk)

    def seconds(self, count: int) -> None:
        for _ in range(count):
            for eye in list(self.watcher.eyes.values()):
                for reading in eye.look():
                    self.watcher.inbox.put(reading)
            self.watcher.tick()
            self.stage.clock.advance(1)


@pytest.fixture
def watch(stage: Stage) -> Watch:
    return Watch(stage)


def node_state(stage: Stage, name: str) -> str:
    return stage.node(name).state


def test_ten_seconds_of_silence_are_a_loss_and_the_return_is_seen(stage: Stage, watch: Watch) -> None:
    watch.seconds(3)
    stage.faults.power_off("n1")
    watch.seconds(9)
    assert node_state(stage, "n1") == NodeState.UP
    watch.seconds(3)
    assert node_state(stage, "n1") == NodeState.DOWN
    assert stage.vm("web").state == VmState.UNMONITORED
    assert (node_state(stage, "n2"), stage.vm("app").state) == (NodeState.UP, VmState.RUNNING)
    stage.faults.power_on("n1")
    watch.seconds(150)
    assert node_state(stage, "n1") == NodeState.UP
    assert (stage.vm("web").state, stage.vm("web").wanted) == (VmState.FAILED, Wanted.RUNNING)
    assert stage.vm("idle").state == VmState.OFF


def test_a_cut_management_path_loses_no_vm(stage: Stage, watch: Watch) -> None:
    stage.faults.cut("n1")
    watch.seconds(13)
    assert stage.vm("web").state == VmState.UNMONITORED
    stage.faults.mend("n1")
    watch.seconds(13)
    assert (node_state(stage, "n1"), stage.vm("web").state) == (NodeState.UP, VmState.RUNNING)
    assert not Event.objects.filter(code="vm_failed").exists()


def test_a_daemon_that_is_away_is_told_apart(stage: Stage, watch: Watch) -> None:
    stage.faults.agent_off("n2")
    watch.seconds(13)
    assert node_state(stage, "n2") == NodeState.AGENT_DOWN
    stage.faults.agent_on("n2")
    watch.seconds(13)
    assert (node_state(stage, "n2"), stage.vm("app").state) == (NodeState.UP, VmState.RUNNING)


def test_a_crash_is_seen_within_a_look_and_wakes_the_engine(stage: Stage, watch: Watch) -> None:
    watch.seconds(2)
    stage.faults.crash(stage.vm("web").uuid)
    watch.seconds(7)
    assert stage.vm("web").state == VmState.FAILED
    assert "clustermgr.jobs.engine.decide" in stage.runner.names


def test_stops_and_starts_on_the_host_are_followed(stage: Stage, watch: Watch) -> None:
    watch.seconds(2)
    host = OnHost(stage.world, "n1")
    host.turn_off(stage.vm("web").uuid)
    host.start(stage.vm("idle").uuid)
    watch.seconds(20)
    assert (stage.vm("web").state, stage.vm("web").wanted) == (VmState.OFF, Wanted.OFF)
    assert (stage.vm("idle").state, stage.vm("idle").wanted) == (VmState.RUNNING, Wanted.RUNNING)


def test_memory_changed_on_the_host_shows_as_drift_within_a_sweep(stage: Stage, watch: Watch) -> None:
    watch.seconds(2)
    OnHost(stage.world, "n1").edit(stage.vm("web").uuid, {"memory_mib": 3072})
    watch.seconds(60)
    drift = Drift.objects.get()
    assert (drift.vm.name, drift.fields[0]["host"]) == ("web", 3072)


def test_a_quiet_cluster_is_heard_every_second_and_its_version_stays(stage: Stage, watch: Watch) -> None:
    watch.seconds(15)
    stage.cluster.refresh_from_db()
    version = stage.cluster.version
    watch.seconds(60)
    stage.cluster.refresh_from_db()
    assert stage.cluster.version == version
    ago = stage.clock.now() - WatchShard.objects.values_list("heard_at", flat=True).get()
    assert ago.total_seconds() <= 1
    ago = stage.clock.now() - min(Node.objects.values_list("observed_at", flat=True))
    assert ago.total_seconds() <= 6


def test_a_node_never_read_is_taken_in_when_it_first_answers(stage: Stage) -> None:
    Vm.objects.filter(name="app").delete()
    Node.objects.filter(name="n2").update(host_uuid="", hypervisor="", state=NodeState.JOINING)
    Watch(stage).seconds(3)
    assert node_state(stage, "n2") == NodeState.UP
    assert stage.vm("app").state == VmState.RUNNING


def test_another_host_at_a_nodes_address_is_no_answer(stage: Stage) -> None:
    Node.objects.filter(name="n3").update(host_uuid="11111111-1111-1111-1111-111111111111")
    Watch(stage).seconds(14)
    assert node_state(stage, "n3") == NodeState.DOWN


def test_a_lease_has_one_owner_and_is_taken_over_when_it_expires(stage: Stage, watch: Watch) -> None:
    assert not watching.take(stage.cluster.pk, "other")
    stage.clock.advance(watching.LEASE_S)
    second = Watch(stage, "other")
    with pytest.raises(LeaseLost):
        watch.seconds(2)
    second.watcher.close()
    assert watching.take(stage.cluster.pk, "third")


def test_a_duplicate_returns_at_once(stage: Stage, watch: Watch) -> None:
    duplicate = Watcher(stage.cluster.pk, "other")
    duplicate.run(threading.Event())
    assert duplicate.eyes == {}


def test_a_shard_without_a_watcher_is_sent_once_in_a_lease_time(stage: Stage) -> None:
    for _ in range(4):
        keep()
        stage.clock.advance(2)
    assert stage.runner.names == ["clustermgr.jobs.watch.watch"] * 2


def test_a_node_that_hangs_delays_no_verdict_on_another(stage: Stage, watch: Watch) -> None:
    watch.seconds(1)
    stage.faults.hang("n1")
    watch.seconds(13)
    assert [node_state(stage, name) for name in ("n1", "n2", "n3")] == ["down", "up", "up"]


def test_a_fault_in_a_driver_costs_looks_not_the_watch(
    stage: Stage, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = eyes.readings.look
    broken = stage.node("n1").pk

    def look(node: int, host: object) -> object:
        if node == broken:
            raise KeyError("a driver's fault")
        return replace(real(node, host))  # type: ignore[arg-type]

    monkeypatch.setattr(eyes.readings, "look", look)
    watch.seconds(8)
    assert node_state(stage, "n2") == NodeState.UP
    assert stage.vm("app").state == VmState.RUNNING


def holders(stage: Stage, name: str) -> set[str]:
    return set(Holder.objects.filter(vm=stage.vm(name)).values_list("node__name", flat=True))


def test_a_former_holder_is_let_go_when_its_node_is_seen_without_the_vm(stage: Stage, watch: Watch) -> None:
    """A live migration whose source was lost at its end leaves the source a possible holder."""
    Holder.objects.create(vm=stage.vm("web"), node=stage.node("n2"), since=stage.clock.now(), because="start")
    stage.faults.cut("n2")
    watch.seconds(20)
    assert holders(stage, "web") == {"n1", "n2"}
    stage.faults.mend("n2")
    watch.seconds(15)
    assert holders(stage, "web") == {"n1"}


def test_a_holder_with_a_copy_stays_one(stage: Stage, watch: Watch) -> None:
    web = stage.vm("web")
    Holder.objects.create(vm=web, node=stage.node("n2"), since=stage.clock.now(), because="start")
    stage.faults.image_lock("csv1", locks=False)
    connect("lab", "lab:n2").define(connect("lab", "lab:n1").read_config(web.uuid).definition)
    connect("lab", "lab:n2").begin_start(web.uuid)
    watch.seconds(20)
    assert holders(stage, "web") == {"n1", "n2"}
