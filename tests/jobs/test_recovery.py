"""A VM that fails is restarted on its node and, if that does not work, on another; always with the reason."""

from __future__ import annotations

import json

from clustermgr.actions import vms
from clustermgr.actions._ledger import change
from clustermgr.actions.recovery import best_other, failed_vms, recover
from clustermgr.core.states import VmState, Wanted
from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.registry import connect
from clustermgr.jobs.engine import decide
from clustermgr.models import Event, Vm
from tests.jobs.conftest import Stage


def crash(stage: Stage, name: str) -> None:
    """The guest crashes, and the sweep has seen it."""
    vm = stage.vm(name)
    stage.faults.crash(vm.uuid)
    with change(stage.cluster.pk) as tx:
        tx.set_vm_state(vm, VmState.FAILED, "crashed", wanted=Wanted.RUNNING)
        tx.event("vm_failed", vm=vm, node=vm.owner, reason="crashed")


def codes(stage: Stage, name: str) -> list[str]:
    return list(Event.objects.filter(vm=stage.vm(name)).order_by("id").values_list("code", flat=True))


def test_a_crashed_vm_is_restarted_where_it_was(stage: Stage) -> None:
    crash(stage, "web")
    decide(stage.cluster.pk)
    stage.run()
    assert stage.where("web") == {"n1": DomainState.RUNNING}
    assert codes(stage, "web")[-3:] == ["recovery_decided", "order_given", "vm_restarted"]


def test_two_rounds_at_once_decide_once(stage: Stage) -> None:
    crash(stage, "web")
    one, other = failed_vms(stage.cluster), failed_vms(stage.cluster)
    assert [recover(vm) for vm in one + other] == [True, False]
    assert codes(stage, "web")[-2:] == ["recovery_decided", "order_given"]
    assert stage.vm("web").restarts == 1


def test_a_round_that_meets_an_order_counts_nothing(stage: Stage) -> None:
    crash(stage, "web")
    found = failed_vms(stage.cluster)
    vms.start(actor=stage.actor, vm=stage.vm("web"))
    assert [recover(vm) for vm in found] == [False]
    assert (codes(stage, "web")[-1], stage.vm("web").restarts) == ("order_given", 0)


def test_if_the_restart_fails_it_runs_on_another_node(stage: Stage) -> None:
    stage.faults.plan(stage.vm("web").uuid, {"start_fails_on": {"n1": 1}})
    crash(stage, "web")
    decide(stage.cluster.pk)
    stage.run()
    assert list(stage.where("web").values()) == [DomainState.RUNNING]
    assert stage.vm("web").owner.name in {"n2", "n3"}
    assert codes(stage, "web")[-1] == "vm_failed_over"
    assert [copy.host for copy in stage.world.copies(stage.vm("web").uuid)] == [stage.vm("web").owner.name]


def test_a_second_crash_in_the_period_fails_over(stage: Stage) -> None:
    for _ in range(2):
        crash(stage, "web")
        decide(stage.cluster.pk)
        stage.run()
    assert stage.vm("web").owner.name != "n1"


def test_after_all_failures_it_stays_failed_with_the_reason(stage: Stage) -> None:
    stage.faults.plan(stage.vm("web").uuid, {"start_fails": 10})
    crash(stage, "web")
    for _ in range(4):
        decide(stage.cluster.pk)
        stage.run()
    web = stage.vm("web")
    assert web.state == VmState.FAILED
    assert "failed over 2 times in 6 hours" in web.state_reason
    assert "vm_left_failed" in codes(stage, "web")
    assert stage.where("web") == {}


def left_behind(stage: Stage, name: str, *nodes: str, **changes: object) -> None:
    """A definition of the VM from before it was changed lies on these nodes."""
    read = connect("lab", "lab:n1").read_config(stage.vm(name).uuid).definition
    for node in nodes:
        connect("lab", f"lab:{node}").define(json.dumps({**json.loads(read), **changes}))


def failed_over(stage: Stage) -> str:
    """The restart of web at home fails; the node on which it was started then."""
    stage.faults.plan(stage.vm("web").uuid, {"start_fails_on": {"n1": 1}})
    crash(stage, "web")
    decide(stage.cluster.pk)
    stage.run()
    assert list(stage.where("web").values()) == [DomainState.RUNNING]
    return stage.vm("web").owner.name


def test_it_is_started_elsewhere_from_what_is_agreed_not_from_what_was_left_there(stage: Stage) -> None:
    left_behind(stage, "web", "n2", "n3", memory_mib=256, notes="old")
    running = connect("lab", f"lab:{failed_over(stage)}").read_config(stage.vm("web").uuid).running
    assert (running.memory_mib, running.notes) == (2048, "")


def test_a_node_that_itself_keeps_an_old_state_of_it_is_passed_over(stage: Stage) -> None:
    """Starting there would restore old memory over disks that went on (safety.md 2.4)."""
    left_behind(stage, "web", "n2", "n3")
    best = best_other(stage.vm("web")).name
    with stage.world.write() as tx:
        tx.set_copy(best, stage.vm("web").uuid, state=DomainState.SAVED)
    assert failed_over(stage) == ({"n2", "n3"} - {best}).pop()


def test_a_vm_without_auto_start_is_left_to_the_administrator(stage: Stage) -> None:
    Vm.objects.filter(name="web").update(priority="no_auto_start")
    crash(stage, "web")
    decide(stage.cluster.pk)
    stage.run()
    assert stage.where("web") == {}
    assert "No auto start" in stage.vm("web").state_reason


def test_an_hour_later_it_is_tried_again(stage: Stage) -> None:
    stage.faults.plan(stage.vm("web").uuid, {"start_fails": 3})
    crash(stage, "web")
    for _ in range(4):
        decide(stage.cluster.pk)
        stage.run()
    stage.clock.advance(3700)
    for _ in range(2):
        decide(stage.cluster.pk)
        stage.run()
    assert list(stage.where("web").values()) == [DomainState.RUNNING]


def test_a_vm_whose_node_is_silent_is_not_started_elsewhere(stage: Stage) -> None:
    crash(stage, "web")
    node = stage.node("n1")
    with change(stage.cluster.pk) as tx:
        tx.update(node, state="down")
    decide(stage.cluster.pk)
    stage.run()
    assert stage.where("web") == {}
    assert "n1 does not answer and may still run it" in stage.vm("web").state_reason
