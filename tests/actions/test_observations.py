"""A sweep: what readings change in the rows, and that nothing is written when nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clustermgr.actions.observations import Observer
from clustermgr.core.health import Word
from clustermgr.core.readings import Config, Load, Look, Seen, VolumeSeen, VolumesSeen
from clustermgr.core.states import NodeState, OperationState, VmState, Wanted
from clustermgr.models import Cluster, Drift, Event, Holder, Node, Vm, Volume, VolumeAccess
from tests import worlds
from tests.fakes import RecordingRunner, VirtualClock

pytestmark = pytest.mark.django_db


@dataclass
class Hall:
    """Two nodes; web01 and db01 run on the first. `look` shows what the first node has."""

    cluster: Cluster
    nodes: list[Node]
    web: Vm
    db: Vm
    clock: VirtualClock
    observer: Observer

    def look(self, node: int = 0, *vms: tuple[Vm, VmState]) -> Look:
        self.clock.advance(1)
        seen = {vm.uuid: sight(vm, state) for vm, state in vms}
        return Look(self.nodes[node].pk, self.clock.now(), seen)

    def both(self, web: VmState = VmState.RUNNING) -> list[Any]:
        return [self.look(1), self.look(0, (self.web, web), (self.db, VmState.RUNNING)), self.look(1)]

    def say(self, word: Word, node: int = 0) -> None:
        self.observer.observe([], {self.nodes[node].pk: word})


def sight(vm: Vm, state: VmState) -> Seen:
    process = state in (VmState.RUNNING, VmState.PAUSED)
    return Seen(vm.uuid, vm.name, state, process, on_purpose=state == VmState.OFF)


@pytest.fixture
def hall(clock: VirtualClock) -> Hall:
    cluster = worlds.cluster("c1")
    nodes = [worlds.node(cluster, name, host_uuid=name) for name in ("hv-01", "hv-02")]
    web, db = worlds.vm("web01", on=nodes[0]), worlds.vm("db01", on=nodes[0])
    return Hall(cluster, nodes, web, db, clock, Observer(cluster.pk))


def codes() -> list[str]:
    return list(Event.objects.order_by("id").values_list("code", flat=True))


def test_a_sweep_without_news_writes_nothing(hall: Hall) -> None:
    hall.observer.observe(hall.both(), {node.pk: Word.ANSWERS for node in hall.nodes})
    with CaptureQueriesContext(
        connection,
    ) as queries:
        hall.observer.observe(hall.both(), {node.pk: Word.ANSWERS for node in hall.nodes})
    assert [query["sql"][:6] for query in queries] == ["SELECT"]
    assert Cluster.objects.get().version == 1


def test_a_crash_wakes_the_engine_and_frees_its_holder(
    hall: Hall, runner: RecordingRunner, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        hall.observer.observe(hall.both(VmState.FAILED))
    hall.web.refresh_from_db()
    assert (hall.web.state, hall.web.wanted) == (VmState.FAILED, Wanted.RUNNING)
    assert not Holder.objects.filter(vm=hall.web).exists()
    assert [(each.task, each.queue) for each in runner.enqueued] == [
        ("clustermgr.jobs.engine.decide", "engine")
    ]


def test_what_an_operation_holds_is_left_to_its_steps(hall: Hall) -> None:
    operation = worlds.operation(hall.web)
    hall.observer.observe(hall.both(VmState.OFF))
    assert (Vm.objects.get(pk=hall.web.pk).state, codes()) == (VmState.RUNNING, [])
    operation.state = OperationState.SUCCEEDED
    operation.save()
    Cluster.objects.update(version=2)
    early = hall.both(VmState.OFF)
    hall.observer.observe(early)  # begun while the operation was seen at work: says nothing
    assert Vm.objects.get(pk=hall.web.pk).state == VmState.RUNNING
    assert hall.observer.settled == {hall.nodes[0].pk}
    hall.observer.observe(hall.both(VmState.OFF))
    assert Vm.objects.get(pk=hall.web.pk).state == VmState.OFF


def test_a_silent_node_makes_its_vms_unmonitored_and_its_return_tells_them_again(hall: Hall) -> None:
    hall.observer.observe(hall.both(), {node.pk: Word.ANSWERS for node in hall.nodes})
    hall.say(Word.SILENT)
    node = Node.objects.get(pk=hall.nodes[0].pk)
    assert (node.state, node.state_reason) == (NodeState.DOWN, "No heartbeat since 12:00 UTC.")
    assert set(Vm.objects.values_list("state", "state_reason")) == {
        ("unmonitored", "Last known: running on hv-01.")
    }
    hall.say(Word.ANSWERS)
    assert Node.objects.get(pk=node.pk).state == NodeState.JOINING
    hall.observer.observe(hall.both())
    assert Node.objects.get(pk=node.pk).state == NodeState.UP
    assert set(Vm.objects.values_list("state", flat=True)) == {VmState.RUNNING}
    assert codes() == ["node_down", "node_joining", "vm_monitored", "vm_monitored", "node_up"]
    assert Holder.objects.count() == 2


def test_a_daemon_that_refuses_is_not_a_lost_machine(hall: Hall) -> None:
    hall.say(Word.REFUSES)
    assert Node.objects.get(pk=hall.nodes[0].pk).state == NodeState.AGENT_DOWN
    assert codes() == ["node_agent_down"]


def test_a_vm_moved_by_hand_changes_its_owner_and_its_holder(hall: Hall) -> None:
    here = (hall.db, VmState.RUNNING)
    hall.observer.observe(
        [hall.look(0, (hall.web, VmState.RUNNING), here), hall.look(1, (hall.web, VmState.RUNNING))]
    )
    hall.observer.observe([hall.look(0, here)])
    vm = Vm.objects.get(pk=hall.web.pk)
    assert (vm.owner.name, codes()) == ("hv-02", ["vm_moved_outside"])
    assert list(vm.holders.values_list("node__name", flat=True)) == ["hv-02"]


def test_figures_are_written_when_they_moved_and_take_no_version(hall: Hall) -> None:
    node = hall.nodes[0].pk
    hall.observer.observe([Load(node, 40.0, 1000, {hall.web.uuid: (12.0, 2048)})])
    hall.observer.observe([Load(node, 40.4, 1010, {hall.web.uuid: (12.5, 2050)})])
    assert Node.objects.get(pk=node).cpu_percent == 40.0
    assert Vm.objects.get(pk=hall.web.pk).memory_used_mib == 2048
    assert Cluster.objects.get().version == 1


def volumes(hall: Hall, *, reachable: bool) -> VolumesSeen:
    seen = VolumeSeen("csv1", "csv", "/csv1", True, reachable, 1 << 40, 1 << 30, "NFS")
    return VolumesSeen(hall.nodes[0].pk, (seen,))


@pytest.mark.parametrize(
    ("before", "declared", "kind", "owner"),
    [
        ("disk", True, "disk", "hv-01"),
        ("disk", False, "disk", "hv-01"),
        ("csv", True, "csv", None),
        ("csv", False, "disk", "hv-01"),
    ],
)
def test_a_directory_that_two_hosts_have_is_shared_only_when_somebody_said_so(
    hall: Hall, before: str, declared: bool, kind: str, owner: str | None
) -> None:
    Volume.objects.create(cluster=hall.cluster, name="d1", kind=before, declared=declared)
    for node in (*hall.nodes, *hall.nodes):
        seen = VolumeSeen("d1", "", "/d1", True, True, 1 << 40, 1 << 30)
        hall.observer.observe([VolumesSeen(node.pk, (seen,))])
    row = Volume.objects.get()
    assert (row.kind, row.owner and row.owner.name) == (kind, owner)
    assert codes().count("volume_not_declared") == (before != kind)


def test_a_machine_is_found_on_its_volume_when_that_is_seen(hall: Hall) -> None:
    disk = {"path": "/csv1/web01.qcow2", "volume": "", "size_mib": 1}
    Vm.objects.filter(pk=hall.web.pk).update(settings={"disks": [disk]})
    hall.observer.observe([volumes(hall, reachable=True)])
    assert Vm.objects.get(pk=hall.web.pk).volume == Volume.objects.get(name="csv1")


def test_a_volume_that_one_node_loses_is_told_for_that_node(hall: Hall) -> None:
    for reachable in (True, False, False, True):
        hall.observer.observe([volumes(hall, reachable=reachable)])
    assert codes() == ["volume_lost", "volume_found"]
    assert VolumeAccess.objects.get().reachable


def config(hall: Hall, **changed: Any) -> Config:
    hall.clock.advance(1)
    web = Vm.objects.get(pk=hall.web.pk)
    agreed = {"name": web.name, "memory_mib": 4096, "vcpus": 2, "notes": "", **web.settings}
    print_ = f"{sorted(changed.items())}"
    return Config(web.owner_id, web.uuid, hall.clock.now(), "text", print_, {**agreed, **changed}, None)


def test_drift_is_found_once_followed_and_gone_again(hall: Hall) -> None:
    for change in ({}, {"memory_mib": 8192}, {"memory_mib": 8192}, {"memory_mib": 9216}):
        hall.observer.observe([config(hall, **change)])
    assert [(row["field"], row["host"]) for row in Drift.objects.get().fields] == [("memory_mib", 9216)]
    assert codes() == ["drift_found"]
    hall.observer.observe([config(hall)])
    assert codes() == ["drift_found", "drift_gone"]
    assert not Drift.objects.exists()


def test_what_counts_at_the_next_start_is_pending_until_it_stops(hall: Hall) -> None:
    copy = config(hall)
    hall.observer.observe([replace(copy, running={**copy.saved, "vcpus": 1})])
    assert Vm.objects.get(pk=hall.web.pk).pending == {"vcpus": 1}
    hall.observer.observe(hall.both(VmState.OFF))
    assert Vm.objects.get(pk=hall.web.pk).pending == {}


def test_a_saved_vm_goes_on_with_what_it_had(hall: Hall) -> None:
    Vm.objects.filter(pk=hall.web.pk).update(pending={"vcpus": 1}, state=VmState.SAVED)
    hall.observer.observe([config(hall)])
    assert Vm.objects.get(pk=hall.web.pk).pending == {"vcpus": 1}


def test_a_reading_from_before_the_last_change_is_no_drift(hall: Hall) -> None:
    old = config(hall, memory_mib=8192)
    hall.web.observed_at = old.began + timedelta(seconds=1)
    hall.web.save()
    hall.observer.observe([old])
    assert not Drift.objects.exists()


def test_what_only_the_host_understands_drifts_as_other_settings(hall: Hall) -> None:
    hall.observer.observe([config(hall)])
    hall.observer.observe([replace(config(hall), fingerprint="machine type")])
    assert [row["field"] for row in Drift.objects.get().fields] == ["other"]
    hall.observer.observe([config(hall)])
    assert codes() == ["drift_found", "drift_gone"]


def test_an_unknown_cluster_part_only_follows(hall: Hall) -> None:
    hall.observer.observe([config(hall)])
    web = Vm.objects.get(pk=hall.web.pk)
    assert (web.fingerprint, web.config_version) == ("[]", 1)
    assert Cluster.objects.get().version == 1
