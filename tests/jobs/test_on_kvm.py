"""Orders on real libvirt nodes, each carried to its end here: what a host can do, it does when ordered."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

import pytest
from django.core.management import call_command

from clustermgr.access import Actor
from clustermgr.actions import leases, operations, standing, tidying, vms
from clustermgr.core.states import OfflineAction, OperationState, Role, VmState
from clustermgr.jobs import stamps
from clustermgr.jobs.hosts import connect_to
from clustermgr.jobs.operations import one_step
from clustermgr.jobs.work import Work
from clustermgr.kvmlab.layout import LabError
from clustermgr.models import Cluster, Drift, Node, Operation, Vm
from tests.kvm import KvmLab, wait_for
from tests.kvm import kvm_lab as kvm_lab

pytestmark = [pytest.mark.qemu, pytest.mark.slow]

ANA = Actor(name="ana", role=Role.ADMINISTRATOR, origin="test")
PATIENCE_S = 60


@dataclass
class Plant:
    """The lab and the cluster's rows about it, imported afresh for each test."""

    lab: KvmLab

    def vm(self, name: str) -> Vm:
        return Vm.objects.select_related("owner", "volume").get(name=name)

    def other(self, name: str) -> Node:
        """A node on which this VM is not."""
        node = Node.objects.exclude(pk=self.vm(name).owner_id).first()
        assert node is not None
        return node

    def carry(self, order: Operation | None) -> Operation:
        """Work as a worker does, until the order is settled."""
        assert order is not None
        operations.admit_waiting(order.cluster)
        assert leases.claim(order.pk, "worker-1")
        work, until = Work(order.pk, "worker-1"), time.monotonic() + PATIENCE_S
        while (pause := one_step(work)) is not None:
            assert time.monotonic() < until, work.operation.wait_reason or work.operation.step
            time.sleep(pause)
        work.close()
        order.refresh_from_db()
        assert order.state == OperationState.SUCCEEDED, f"{order.outcome} {order.raw_reason}"
        return order

    def state(self, name: str) -> str:
        """What the owner's host says."""
        return self.lab.virsh(self.number(name), "domstate", name).strip()

    def agent_answers(self, name: str) -> bool:
        ping = ("qemu-agent-command", name, '{"execute":"guest-ping"}', "--timeout", "1")
        try:
            return "return" in self.lab.virsh(self.number(name), *ping)
        except LabError:
            return False

    def number(self, name: str) -> int:
        return 1 + [node.name for node in self.lab.nodes].index(self.vm(name).owner.name)

    def copies(self, name: str) -> int:
        return len(self.lab.pids(self.lab.vm(name)))


@pytest.fixture
def plant(kvm_lab: KvmLab, transactional_db: None) -> Plant:
    kvm_lab.unmanage()
    call_command("import_cluster", str(kvm_lab.layout.description), verbosity=0)
    return Plant(kvm_lab)


def counts_on(plant: Plant, before: int) -> bool:
    """The guest `counter` goes on counting from where it was; a restarted one begins at 1."""
    grew = wait_for(lambda: plant.lab.counter() > before)
    counts = plant.lab.counts()
    return grew and all(one < other for one, other in itertools.pairwise(counts))


def test_the_import_takes_the_lab_as_it_is(plant: Plant) -> None:
    cluster = Cluster.objects.get()
    assert (cluster.allow_unsafe_migration, cluster.migration_bandwidth_mib_s) == (True, 40)
    assert list(cluster.volumes.values_list("name", "kind")) == [("csv1", "csv"), ("disk1", "disk")]
    assert cluster.volumes.get(name="csv1").access.filter(active=True, reachable=True).count() == 3
    assert cluster.volumes.get(name="disk1").owner == Node.objects.get(name="kvm-01")
    assert cluster.vms.count() == len(plant.lab.description["vms"])
    assert len({str(node.cpu_features) for node in cluster.nodes.all()}) == 1
    before = Vm.objects.count()
    call_command("import_cluster", str(plant.lab.layout.description), verbosity=0)
    assert (Cluster.objects.count(), Node.objects.count(), Vm.objects.count()) == (1, 3, before)


def test_an_off_vm_starts_and_is_turned_off(plant: Plant) -> None:
    plant.carry(vms.start(actor=ANA, vm=plant.vm("test01")))
    assert (plant.state("test01"), plant.vm("test01").state) == ("running", VmState.RUNNING)
    plant.carry(vms.turn_off(actor=ANA, vm=plant.vm("test01")))
    assert (plant.state("test01"), plant.vm("test01").state) == ("shut off", VmState.OFF)
    assert plant.copies("test01") == 0


@pytest.mark.parametrize(("name", "forced"), [("dns01", False), ("app01", False), ("app01", True)])
def test_a_guest_shuts_down_when_asked(plant: Plant, name: str, forced: bool) -> None:
    """By its power button, or by the agent in it."""
    if not Vm.objects.filter(name=name).exists():
        pytest.skip("no Linux guests here")
    assert not forced or wait_for(lambda: plant.agent_answers(name)), "the guest does not boot"
    plant.carry(vms.shut_down(actor=ANA, vm=plant.vm(name), forced=forced))
    assert (plant.state(name), plant.copies(name)) == ("shut off", 0)
    plant.carry(vms.start(actor=ANA, vm=plant.vm(name)))
    assert (plant.state(name), plant.copies(name)) == ("running", 1)


def test_a_saved_vm_is_restored_once(plant: Plant) -> None:
    before = plant.lab.counter()
    plant.carry(vms.save(actor=ANA, vm=plant.vm("counter")))
    saved = plant.vm("counter")
    assert (saved.state, plant.copies("counter")) == (VmState.SAVED, 0)
    kept = plant.lab.root / "csv1" / saved.saved_file.rpartition("/")[2]
    assert kept.exists()
    plant.carry(vms.start(actor=ANA, vm=saved))
    assert (plant.vm("counter").saved_file, kept.exists(), plant.copies("counter")) == ("", False, 1)
    assert counts_on(plant, before)


def test_quick_migration_takes_the_guests_memory_along(plant: Plant) -> None:
    before, target = plant.lab.counter(), plant.other("counter")
    plant.carry(vms.quick_migrate(actor=ANA, vm=plant.vm("counter"), target=target))
    assert plant.vm("counter").owner == target
    assert (plant.state("counter"), plant.copies("counter")) == ("running", 1)
    assert counts_on(plant, before)


def test_a_vm_moves_by_shutting_down(plant: Plant) -> None:
    target = plant.other("dns01")
    how = OfflineAction.SHUT_DOWN
    plant.carry(vms.move(actor=ANA, vm=plant.vm("dns01"), target=target, offline_action=how))
    assert plant.vm("dns01").owner == target
    assert (plant.state("dns01"), plant.copies("dns01")) == ("running", 1)


def test_an_off_vm_moves_without_being_started(plant: Plant) -> None:
    source, target = plant.number("test01"), plant.other("test01")
    plant.carry(vms.move(actor=ANA, vm=plant.vm("test01"), target=target))
    assert plant.vm("test01").owner == target
    assert plant.state("test01") == "shut off"
    assert "test01" not in plant.lab.virsh(source, "list", "--all", "--name").split()


def test_settings_reach_the_host_and_are_no_drift(plant: Plant) -> None:
    vm = plant.vm("test01")
    changes = {"memory_mib": vm.memory_mib + 32, "notes": f"{vm.notes} again"}
    order = vms.change_settings(actor=ANA, vm=vm, version=vm.config_version, changes=changes)
    done = plant.carry(order)
    assert done.outcome == "Memory: applied now; Notes: applied now."
    assert f"{(vm.memory_mib + 32) * 1024} KiB" in plant.lab.virsh(
        plant.number("test01"), "dominfo", "test01"
    )
    assert (plant.vm("test01").memory_mib, plant.vm("test01").notes) == (
        changes["memory_mib"],
        changes["notes"],
    )
    assert not Drift.objects.exists()


def test_what_a_node_still_knows_when_it_returns_is_removed_and_nothing_else(plant: Plant) -> None:
    counter, other = plant.vm("counter"), plant.other("counter")
    config = connect_to(counter.owner).read_config(counter.uuid)
    connect_to(other).define(config.definition, "manager=m epoch=1 vm=u")
    before = plant.lab.counter()
    order = tidying.order(counter, other)
    plant.carry(order)
    assert connect_to(other).sight(counter.uuid) is None
    assert connect_to(counter.owner).sight(counter.uuid).has_process
    assert plant.copies("counter") == 1
    assert counts_on(plant, before)


def test_a_sweeps_stamp_stands_on_the_running_machine(plant: Plant) -> None:
    counter = plant.vm("counter")
    stamps.stamp(counter.owner_id, [counter.pk])
    read = connect_to(counter.owner).read_config(counter.uuid)
    mine = standing.identity(counter.cluster_id).stamp(counter.uuid)
    assert (read.stamp, read.running_stamp) == (mine, mine)
