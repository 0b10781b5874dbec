"""Hosts that fail, rows that are old and people on the hosts, against every kind of order.

Whatever happens, the VM runs at most once; when the hosts are whole again, the rows say what they show.
"""

from __future__ import annotations

import pytest

from clustermgr.actions import leases, operations, vms
from clustermgr.core.states import ACTIVE, OperationState, VmState
from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.errors import ActionRefused
from clustermgr.jobs.engine import decide
from clustermgr.jobs.operations import one_step
from clustermgr.jobs.work import Work
from clustermgr.models import Operation, Vm
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.joining import join_new_vms
from tests.jobs.test_kill_everywhere import KINDS, ordered
from tests.jobs.test_recovery import crash
from tests.jobs.test_watch import Watch
from tests.jobs.truth import lies

TROUBLES = {
    "source_power": ("power_off", "power_on", "n1"),
    "target_power": ("power_off", "power_on", "n3"),
    "source_path": ("cut", "mend", "n1"),
    "target_path": ("cut", "mend", "n3"),
}
#: kind of order, seconds after which the trouble begins
MOMENTS = [
    *(("live", 1.0), ("quick", 1.0), ("quick", 5.0), ("move", 1.0), ("move", 4.0)),
    *(("save", 1.0), ("start", 0.5), ("fail_over", 1.0)),
]


def strike(stage: Stage, kind: str, seconds: float) -> Operation:
    before, verb, more, faults = KINDS[kind]
    stage.world.vm("victim", on="n1", memory_mib=2048, state=before)
    join_new_vms(stage)
    stage.faults.plan(stage.vm("victim").uuid, faults)
    operation = ordered(stage, stage.vm("victim"), verb, **more)
    killing.carry(stage, operation.pk, seconds=seconds)
    return operation


class Days:
    """The watch looks, the engine decides and workers work, a second at a time."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.watch = stage, Watch(stage)
        self.works: dict[int, Work] = {}
        Operation.objects.update(lease_owner="", lease_expires=None)

    def seconds(self, count: int) -> None:
        for _ in range(count):
            self.watch.seconds(1)
            decide(self.stage.cluster.pk)
            operations.admit_waiting(self.stage.cluster)
            for pk in Operation.objects.filter(state__in=ACTIVE).values_list("pk", flat=True):
                if pk not in self.works and leases.claim(pk, "worker-2"):
                    self.works[pk] = Work(pk, "worker-2")
            for pk, work in list(self.works.items()):
                if not any(self._step(work) for _ in range(3)):
                    continue
                del self.works[pk]

    def _step(self, work: Work) -> bool:
        """True when it ended."""
        try:
            return one_step(work) is None
        except leases.LeaseLost:
            return True


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(("kind", "seconds"), MOMENTS)
def test_a_node_is_lost_at_any_moment_and_comes_back(
    stage: Stage, kind: str, seconds: float, trouble: str
) -> None:
    begin, end, node = TROUBLES[trouble]
    stage.world.set_speeds(node_boot_s=3)
    strike(stage, kind, seconds)
    days = Days(stage)
    getattr(stage.faults, begin)(node)
    days.seconds(20)
    assert stage.world.double_runs() == []
    getattr(stage.faults, end)(node)
    days.seconds(35)
    assert lies(stage, "victim", left_behind=node == "n1") == []


def test_a_failed_vm_that_somebody_started_by_hand_is_not_destroyed(stage: Stage) -> None:
    crash(stage, "web")
    OnHost(stage.world, "n1").start(stage.vm("web").uuid)
    stage.clock.advance(2)
    decide(stage.cluster.pk)
    stage.run()
    assert stage.where("web") == {"n1": DomainState.RUNNING}
    assert stage.vm("web").state == VmState.RUNNING


def test_a_vm_started_by_hand_on_its_node_is_not_started_on_another(stage: Stage) -> None:
    order = vms.move(actor=stage.actor, vm=stage.vm("idle"), target=stage.node("n2"))
    OnHost(stage.world, "n1").start(stage.vm("idle").uuid)
    stage.clock.advance(2)
    stage.run()
    assert "was started on n1 meanwhile" in stage.fresh(order).outcome
    assert stage.where("idle") == {"n1": DomainState.RUNNING}
    assert stage.vm("idle").owner.name == "n1"


def test_an_order_about_a_vm_that_has_left_meanwhile_is_refused(stage: Stage) -> None:
    as_read = stage.vm("web")
    vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"))
    stage.run()
    with pytest.raises(ActionRefused, match="changed while this order was given"):
        vms.turn_off(actor=stage.actor, vm=as_read)


def test_a_vm_that_crashed_before_its_save_is_not_called_saved(stage: Stage) -> None:
    order = vms.save(actor=stage.actor, vm=stage.vm("web"))
    stage.faults.crash(stage.vm("web").uuid)
    stage.run()
    assert stage.fresh(order).state == OperationState.FAILED
    assert stage.vm("web").saved_file == ""


def test_half_a_saved_state_is_none(stage: Stage) -> None:
    stage.world.set_speeds(node_boot_s=3)
    order = vms.save(actor=stage.actor, vm=stage.vm("db"))
    killing.carry(stage, order.pk, seconds=2.0)
    stage.faults.power_off("n1")
    stage.faults.power_on("n1")
    killing.take_over(stage)
    assert stage.fresh(order).state == OperationState.FAILED
    assert stage.vm("db").saved_file == ""
    vms.start(actor=stage.actor, vm=stage.vm("db"))
    stage.run()
    assert stage.where("db") == {"n1": DomainState.RUNNING}


def test_a_spent_saved_state_does_not_keep_a_vm_off_for_ever(stage: Stage) -> None:
    vms.save(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    Vm.objects.filter(name="web").update(saved_spent=True)
    vms.start(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    assert stage.where("web") == {"n1": DomainState.RUNNING}


def test_a_target_that_refuses_sends_a_quick_migration_home_with_its_memory(stage: Stage) -> None:
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    killing.carry(stage, order.pk, seconds=1.0)
    stage.faults.storage_cut("n3", "csv1")
    killing.take_over(stage)
    assert "runs again on n1" in stage.fresh(order).outcome
    assert lies(stage, "web") == []


def test_a_vm_whose_storage_is_cut_on_the_way_keeps_no_slot(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n2"))
    work = killing.carry(stage, order.pk, seconds=1.0)
    stage.faults.storage_cut("n1", "csv1")
    operations.cancel(actor=stage.actor, operation=stage.fresh(order))
    killing.finish(stage, work)
    assert stage.fresh(order).state in (OperationState.CANCELLED, OperationState.FAILED)
    assert lies(stage, "db") == []
