"""A host's daemon hangs, is told something meanwhile, and obeys when it goes on (safety.md 1.3): one copy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clustermgr.actions import leases, vms
from clustermgr.core.states import OfflineAction, OperationState, VmState
from clustermgr.drivers import registry
from clustermgr.drivers.contract import HandleState
from clustermgr.drivers.libvirt import children
from clustermgr.jobs.operations import one_step
from clustermgr.jobs.work import Work
from clustermgr.kvmlab.layout import CSV
from clustermgr.models import Operation
from tests.jobs.test_on_kvm import ANA, Plant
from tests.kvm import KvmLab, namespace, wait_for
from tests.lab.victim import Victim, made

Stalls = Callable[[str, int], None]

pytestmark = [pytest.mark.qemu, pytest.mark.slow]


@pytest.fixture
def victim(plant: Plant) -> Iterator[Victim]:
    with made(plant) as victim:
        yield victim


def daemon(lab: KvmLab, number: int) -> int:
    """The daemon's process as this machine numbers it."""
    first = int(lab.layout.pid_file(f"n{number}").read_text().split()[0])
    found = [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit()
        and namespace(int(folder.name)) == namespace(first)
        and (folder / "comm").read_text() == "libvirtd\n"
    ]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def stalls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, victim: Victim) -> Iterator[Stalls]:
    """`stalls(verb, number)`: the next such call finds that node's daemon hanging, having taken it."""

    def prepare(verb: str, number: int) -> None:
        monkeypatch.setattr(children, "MODULE", "tests.lab.late_child")
        monkeypatch.setenv("STALL", f"{daemon(victim.lab, number)} {verb}")
        monkeypatch.setenv("STALL_ONCE", str(tmp_path / "stalled"))

    yield prepare
    for number in (victim.home, victim.away):
        victim.lab.daemon(number, "CONT")


class Late:
    """An order whose call goes to a daemon that hangs; when its answer was given up, the daemon goes on."""

    def __init__(self, victim: Victim, number: int, order: Operation | None) -> None:
        assert order is not None
        self.victim, self.number, self.order = victim, number, order
        self.steps: list[str] = []
        self.reasons: set[str] = set()
        self.lost = False

    @property
    def row(self) -> Operation:
        return Operation.objects.get(pk=self.order.pk)

    def carry(self, *, given_up: Callable[[], object] = bool, each: Callable[[], object] = bool) -> Operation:
        """To its end, by one worker. `given_up`: before the daemon goes on; `each`: at each look."""
        assert leases.claim(self.order.pk, "worker-1")
        work, until = Work(self.order.pk, "worker-1"), time.monotonic() + 60
        while (pause := one_step(work)) is not None:
            assert time.monotonic() < until, self.row.wait_reason
            self.steps.append(self.row.step)
            self.reasons.add(self.row.wait_reason)
            if not self.lost and work.handle is not None and work.handle.poll()[0] is HandleState.LOST:
                self.lost = True
                given_up()
                self.victim.lab.daemon(self.number, "CONT")
            each()
            time.sleep(pause)
        work.close()
        assert self.lost, "the call was answered: nothing was tested"
        assert any("does not answer" in reason for reason in self.reasons)
        return self.row


def one_copy(victim: Victim, number: int) -> None:
    wait_for(lambda: False, 3)  # what comes late has come
    vm = victim.plant.vm(victim.name)
    assert (victim.running(), len(victim.pids())) == ([number], 1)
    assert (vm.state, vm.owner.name) == (VmState.RUNNING, victim.lab.nodes[number - 1].name)


def test_a_start_that_a_hung_daemon_carried_out_late_is_one_copy(victim: Victim, stalls: Stalls) -> None:
    victim.plant.carry(vms.turn_off(actor=ANA, vm=victim.plant.vm(victim.name)))
    stalls("start", victim.home)
    order = vms.start(actor=ANA, vm=victim.plant.vm(victim.name))
    done = Late(victim, victim.home, order).carry()
    assert done.state == OperationState.SUCCEEDED, done.outcome
    one_copy(victim, victim.home)


def test_a_restore_that_a_hung_daemon_carried_out_late_is_one_copy_with_its_memory(
    victim: Victim, stalls: Stalls
) -> None:
    stalls("restore", victim.away)
    order = vms.quick_migrate(actor=ANA, vm=victim.plant.vm(victim.name), target=victim.target)
    done = Late(victim, victim.away, order).carry()
    assert done.state == OperationState.SUCCEEDED, done.outcome
    one_copy(victim, victim.away)
    assert sorted(counts := victim.console()) == counts, "it started again"
    assert not [*(victim.lab.root / "csv1").glob("*.save")]


def test_a_start_without_an_answer_is_revoked_before_the_vm_runs_elsewhere(
    victim: Victim, stalls: Stalls
) -> None:
    """When the target goes on, the image is not where it was, so the order given again fails there."""
    disk = victim.lab.layout.volume(CSV) / f"{victim.name}.qcow2"
    aside = disk.with_suffix(".aside")
    stalls("start", victim.away)
    vm, how = victim.plant.vm(victim.name), OfflineAction.TURN_OFF
    order = vms.move(actor=ANA, vm=vm, target=victim.target, offline_action=how)
    late = Late(victim, victim.away, order)

    def bring_back() -> None:
        if late.row.memory.get("home") and aside.exists():
            aside.rename(disk)

    failed = late.carry(given_up=lambda: disk.rename(aside), each=bring_back)
    assert failed.state == OperationState.FAILED
    assert f"runs again on {vm.owner.name}" in failed.outcome
    assert late.steps.index("revoke") > late.steps.index("called")
    one_copy(victim, victim.home)
    assert victim.name not in victim.lab.virsh(victim.away, "list", "--all", "--name").split()


def test_a_spent_state_is_restored_by_nobody(victim: Victim) -> None:
    """The worker dies between mark and deletion; the copy ran and died: the next start is a cold one."""
    plant = victim.plant
    plant.carry(vms.save(actor=ANA, vm=plant.vm(victim.name)))
    path = plant.vm(victim.name).saved_file
    file = victim.lab.root / CSV / path.rpartition("/")[2]
    order = until_it_is_spent(victim)
    assert (file.exists(), plant.vm(victim.name).saved_spent) == (True, True)
    somebody_runs_it_for_a_moment(victim)
    ended_by_another(order)
    assert not file.exists()
    assert all(cannot_be_restored(victim, number, path) for number in (victim.home, victim.away))
    written = len(victim.console())
    plant.carry(vms.start(actor=ANA, vm=plant.vm(victim.name)))
    assert wait_for(lambda: len(victim.console()) > written)
    assert victim.console()[written] == 1, "old memory ran over newer disks"
    one_copy(victim, victim.home)


def until_it_is_spent(victim: Victim) -> Operation:
    order = vms.start(actor=ANA, vm=victim.plant.vm(victim.name))
    assert order is not None
    assert leases.claim(order.pk, "worker-1")
    work = Work(order.pk, "worker-1")
    while Operation.objects.get(pk=order.pk).step != "spent":
        time.sleep(one_step(work) or 0)
    return order


def somebody_runs_it_for_a_moment(victim: Victim) -> None:
    before = len(victim.console())
    victim.lab.virsh(victim.home, "resume", victim.name)
    assert wait_for(lambda: len(victim.console()) > before), "it does not go on"
    victim.lab.virsh(victim.home, "destroy", victim.name)


def ended_by_another(order: Operation) -> None:
    Operation.objects.update(lease_owner="", lease_expires=None)
    assert leases.claim(order.pk, "worker-2")
    work = Work(order.pk, "worker-2")
    while (pause := one_step(work)) is not None:
        time.sleep(pause)
    work.close()


def cannot_be_restored(victim: Victim, number: int, path: str) -> bool:
    host = registry.connect("libvirt", victim.lab.uri(number), deadline=10)
    handle = host.begin_restore(path)
    failed = wait_for(lambda: handle.poll()[0] is HandleState.FAILED)
    host.close()
    return failed
