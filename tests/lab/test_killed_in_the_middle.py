"""A daemon, a node or the worker dies in the middle of a real live migration: one VM, and the truth.

The guest writes faster than its memory is sent, so that "the middle" lasts until somebody dies.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from clustermgr.actions import leases, operations, vms
from clustermgr.core.states import ACTIVE, OperationState, VmState, Wanted
from clustermgr.drivers.contract import HandleState
from clustermgr.jobs.engine import decide
from clustermgr.jobs.operations import one_step
from clustermgr.jobs.work import Work
from clustermgr.models import Holder, Operation, Slot
from tests.jobs.test_on_kvm import ANA, Plant
from tests.kvm import KvmLab, wait_for
from tests.lab.victim import Victim, made

pytestmark = [pytest.mark.qemu, pytest.mark.slow]

Blow = Callable[[KvmLab, int], None]


@pytest.fixture
def victim(plant: Plant) -> Iterator[Victim]:
    with made(plant) as victim:
        yield victim


class Move:
    """A live migration of the victim, carried by a worker in this thread."""

    def __init__(self, victim: Victim) -> None:
        self.victim = victim
        self.order = vms.live_migrate(actor=ANA, vm=victim.plant.vm(victim.name), target=victim.target)
        operations.admit_waiting(self.order.cluster)
        self.take("worker-1")

    def take(self, owner: str) -> None:
        Operation.objects.filter(pk=self.order.pk).update(lease_owner="", lease_expires=None)
        assert leases.claim(self.order.pk, owner)
        self.work = Work(self.order.pk, owner)

    def on_until(self, what: Callable[[], bool], within: float) -> bool:
        """Work on. Whether it came true in time; False also when the order is settled."""
        until = time.monotonic() + within
        while not what():
            if time.monotonic() > until or (pause := one_step(self.work)) is None:
                return what()
            time.sleep(pause)
        return True

    def in_the_middle(self) -> None:
        assert self.on_until(lambda: self.row.progress.get("sent", 0) > 4 << 20, 30), self.row.progress
        assert self.victim.running() == [self.victim.home]
        assert len(self.victim.pids()) == 2

    @property
    def row(self) -> Operation:
        return Operation.objects.get(pk=self.order.pk)

    @property
    def settled(self) -> bool:
        return self.row.state not in ACTIVE


def kill_daemon(lab: KvmLab, number: int) -> None:
    lab.daemon(number, "KILL")


def start_daemon(lab: KvmLab, number: int) -> None:
    lab.daemon_start(number)


def cut_power(lab: KvmLab, number: int) -> None:
    lab.power_off(number)  # the cable first: nobody is told


def give_power(lab: KvmLab, number: int) -> None:
    lab.power_on(number)


@pytest.mark.parametrize(
    ("side", "blow", "mend"),
    [
        ("home", kill_daemon, start_daemon),
        ("away", kill_daemon, start_daemon),
        ("home", cut_power, give_power),
        ("away", cut_power, give_power),
    ],
    ids=["source_daemon", "target_daemon", "source_node", "target_node"],
)
def test_one_side_dies_in_the_middle_of_a_move(victim: Victim, side: str, blow: Blow, mend: Blow) -> None:
    move, number = Move(victim), getattr(victim, side)
    name, lost_its_guests = victim.lab.nodes[number - 1].name, (side, blow) == ("home", cut_power)
    move.in_the_middle()
    blow(victim.lab, number)
    try:
        assert move.on_until(lambda: f"{name} does not answer" in move.row.wait_reason, 40), move.row.outcome
        assert "Start that node, or its libvirt daemon" in move.row.wait_reason
        assert Slot.objects.filter(operation=move.order).count() == 2, "its places are kept until it is known"
    finally:
        mend(victim.lab, number)
    assert move.on_until(lambda: move.settled, 90), move.row.wait_reason
    assert move.row.state == OperationState.FAILED
    assert move.row.advice
    if lost_its_guests:
        runs_nowhere_and_is_started_once(victim, move)
    else:
        runs_at_home(victim, move)


def runs_at_home(victim: Victim, move: Move) -> None:
    vm, home = victim.plant.vm(victim.name), victim.lab.nodes[victim.home - 1].name
    assert f"victim still runs on {home}" in move.row.outcome
    assert (vm.state, vm.owner.name, victim.running()) == (VmState.RUNNING, home, [victim.home])
    assert len(victim.pids()) == 1
    assert not Slot.objects.exists()
    assert [holder.node.name for holder in Holder.objects.filter(vm=vm)] == [home]
    assert sorted(counts := victim.console()) == counts, "it restarted"


def runs_nowhere_and_is_started_once(victim: Victim, move: Move) -> None:
    vm = victim.plant.vm(victim.name)
    assert "neither node has a process of it" in move.row.outcome
    assert (vm.state, vm.wanted, victim.pids()) == (VmState.FAILED, Wanted.RUNNING, [])
    decide(vm.cluster_id)
    victim.plant.carry(Operation.objects.get(vm=vm, state=OperationState.QUEUED))
    assert len(victim.running()) == len(victim.pids()) == 1
    assert not Slot.objects.exists()


def test_the_worker_dies_in_the_middle_of_a_move(victim: Victim) -> None:
    """Host to host it goes on; the next worker finds it, and obeys the administrator who cancels."""
    move = Move(victim)
    move.in_the_middle()
    caller = move.work.handle
    os.kill(caller.pid, signal.SIGKILL)  # its child dies with it
    assert wait_for(lambda: caller.poll()[0] is HandleState.LOST)
    move.take("worker-2")
    assert move.on_until(lambda: move.row.phase == "copying" and move.row.progress["sent"] > 8 << 20, 20)
    operations.cancel(actor=ANA, operation=move.row)
    assert move.on_until(lambda: move.settled, 40), move.row.wait_reason
    assert move.row.state == OperationState.CANCELLED
    assert (victim.running(), len(victim.pids())) == ([victim.home], 1)
    assert not Slot.objects.exists()
