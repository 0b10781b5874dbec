"""Start, shut down, turn off and save, as an administrator orders them."""

from __future__ import annotations

import pytest

from clustermgr.actions import operations, vms
from clustermgr.core.states import OperationState, VmState, Wanted
from clustermgr.drivers.contract import DomainState
from clustermgr.errors import ActionRefused
from clustermgr.models import Holder, Vm
from tests.jobs.conftest import Stage
from tests.jobs.joining import join_new_vms
from tests.jobs.killing import carry, finish


def test_start_runs_an_off_vm_on_its_node(stage: Stage) -> None:
    order = vms.start(actor=stage.actor, vm=stage.vm("idle"))
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert stage.where("idle") == {"n1": DomainState.RUNNING}
    assert stage.vm("idle").wanted == Wanted.RUNNING


def test_shut_down_waits_until_the_vm_is_seen_off(stage: Stage) -> None:
    order = vms.shut_down(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert stage.where("web") == {}
    assert (stage.vm("web").state, stage.vm("web").wanted) == (VmState.OFF, Wanted.OFF)
    assert not Holder.objects.filter(vm=stage.vm("web")).exists()


def test_a_guest_that_does_not_shut_down_is_reported_and_runs_on(stage: Stage) -> None:
    stage.faults.plan(stage.vm("web").uuid, {"stop_hangs": True})
    order = vms.shut_down(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    failed = stage.fresh(order)
    assert failed.state == OperationState.FAILED
    assert "did not stop within 3 min" in failed.outcome
    assert stage.vm("web").wanted == Wanted.RUNNING


def test_a_guest_that_did_not_hear_the_first_time_is_asked_again(stage: Stage) -> None:
    stage.faults.plan(stage.vm("web").uuid, {"stop_hangs": True})
    order = vms.shut_down(actor=stage.actor, vm=stage.vm("web"))
    work = carry(stage, order.pk, seconds=30)
    stage.faults.plan(stage.vm("web").uuid, {"stop_hangs": False})
    finish(stage, work)
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert stage.where("web") == {}


def test_turn_off_cuts_the_power_of_a_hung_guest(stage: Stage) -> None:
    stage.faults.hang_guest(stage.vm("web").uuid)
    order = vms.turn_off(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert stage.where("web") == {}


def test_a_saved_vm_is_restored_once_by_its_next_start(stage: Stage) -> None:
    vms.save(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    saved = stage.vm("web")
    assert (saved.state, bool(saved.saved_file)) == (VmState.SAVED, True)
    vms.start(actor=stage.actor, vm=saved)
    stage.run()
    assert stage.where("web") == {"n1": DomainState.RUNNING}
    assert stage.vm("web").saved_file == ""
    assert stage.world.saved_file(saved.uuid) == ""


def test_a_saved_vm_moves_with_its_saved_state(stage: Stage) -> None:
    vms.save(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    order = vms.move(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED, stage.fresh(order).outcome
    assert (stage.vm("web").owner.name, stage.vm("web").state) == ("n3", VmState.SAVED)
    vms.start(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    assert stage.where("web") == {"n3": DomainState.RUNNING}


def test_a_start_never_makes_a_second_copy(stage: Stage) -> None:
    """A silent node that may hold a copy blocks the start; a third one that never held it does not."""
    idle = stage.vm("idle")
    Holder.objects.create(vm=idle, node=stage.node("n2"), since=stage.clock.now(), because="start")
    stage.faults.power_off("n2")
    stage.faults.power_off("n3")
    order = vms.start(actor=stage.actor, vm=idle)
    carry(stage, order.pk, seconds=30.0)
    assert "may still have a copy on n2" in stage.fresh(order).wait_reason
    assert stage.where("idle") == {}


def test_settings_are_applied_on_the_host_and_become_the_agreed_copy(stage: Stage) -> None:
    web = stage.vm("web")
    order = vms.change_settings(
        actor=stage.actor,
        vm=web,
        version=web.config_version,
        changes={"memory_mib": "3072", "notes": "hello"},
    )
    stage.run()
    assert order is not None
    assert stage.fresh(order).outcome == "Memory: applied at the next start; Notes: applied now."
    web = stage.vm("web")
    assert (web.memory_mib, web.notes) == (3072, "hello")
    assert list(web.pending) == ["memory_mib"]


def test_what_was_pending_counts_after_a_cold_start_alone(stage: Stage) -> None:
    Vm.objects.filter(name="web").update(pending={"memory_mib": 1024})
    for orders, still in (((vms.save, vms.start), {"memory_mib": 1024}), ((vms.turn_off, vms.start), {})):
        for order in orders:
            order(actor=stage.actor, vm=stage.vm("web"))
            stage.run()
        assert stage.vm("web").pending == still
    assert stage.vm("web").started_at is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"memory_mib": "31"}, "multiple of 2 MB"),
        ({"memory_mib": "abc"}, "whole number of MB"),
        ({"memory_mib": "9" * 400}, "whole number of MB"),
        ({"memory_mib": "999999998"}, "between 32 MB and 65,536 MB, the memory of n1"),
        ({"vcpus": "0"}, "between 1 and 16, the processors of n1"),
        ({"vcpus": True}, "whole number"),
        ({"notes": "x" * 9000}, "Notes can hold 8 kB"),
        ({"notes": "bell \x07"}, "Notes have no invisible, control or direction characters"),
        ({"priority": "urgent"}, "must be one of: high, medium, low, no auto start"),
        ({"colour": "red"}, "is not a setting"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_rule(stage: Stage, changes: dict, words: str) -> None:
    web = stage.vm("web")
    with pytest.raises(ActionRefused, match=words) as refused:
        vms.change_settings(actor=stage.actor, vm=web, version=web.config_version, changes=changes)
    assert refused.value.status == 422
    assert stage.vm("web").config_version == web.config_version


def test_two_administrators_change_the_same_field(stage: Stage) -> None:
    web = stage.vm("web")
    opened = web.config_version
    base = {"memory_mib": web.memory_mib, "priority": web.priority}
    vms.change_settings(actor=stage.actor, vm=web, version=opened, changes={"priority": "high"})
    with pytest.raises(ActionRefused, match="ana changed Startup priority since you opened this form"):
        vms.change_settings(
            actor=stage.actor,
            vm=stage.vm("web"),
            version=opened,
            base=base,
            changes={"priority": "low"},
        )
    merged = vms.change_settings(
        actor=stage.actor,
        vm=stage.vm("web"),
        version=opened,
        base=base,
        changes={"memory_mib": 3072},
    )
    assert merged is not None


def test_a_vm_that_its_host_keeps_saved_goes_on_from_there_and_does_not_move(stage: Stage) -> None:
    stage.world.vm("kept", on="n1", state="saved")
    join_new_vms(stage)
    with pytest.raises(ActionRefused, match="its state lies there"):
        vms.move(actor=stage.actor, vm=stage.vm("kept"), target=stage.node("n2"))
    vms.start(actor=stage.actor, vm=stage.vm("kept"))
    stage.run()
    assert stage.where("kept") == {"n1": DomainState.RUNNING}
    assert stage.world.saved_file(stage.vm("kept").uuid) == ""


def test_a_save_is_cancelled_half_way_and_the_vm_runs_on(stage: Stage) -> None:
    order = vms.save(actor=stage.actor, vm=stage.vm("db"))
    work = carry(stage, order.pk, seconds=2.0)
    operations.cancel(actor=stage.actor, operation=stage.fresh(order))
    finish(stage, work)
    assert stage.fresh(order).state == OperationState.CANCELLED
    assert stage.where("db") == {"n1": DomainState.RUNNING}
    assert stage.vm("db").wanted == Wanted.RUNNING
