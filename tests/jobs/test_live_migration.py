"""Live migration on simulated hosts: what an administrator can count on."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from clustermgr import notices
from clustermgr.actions import leases, operations, vms
from clustermgr.core.states import OperationState, VmState
from clustermgr.drivers.contract import DomainState
from clustermgr.errors import ActionRefused
from clustermgr.jobs.operations import one_step, reap
from clustermgr.jobs.work import Work
from clustermgr.models import Event, Holder, Node, Operation, Slot
from tests.jobs.conftest import Stage
from tests.jobs.killing import carry, finish
from tests.jobs.test_watch import Watch


def test_a_vm_ends_running_on_the_other_node(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"))
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert stage.where("web") == {"n2": DomainState.RUNNING}
    web = stage.vm("web")
    assert (web.owner.name, web.state) == ("n2", VmState.RUNNING)
    assert [h.node.name for h in Holder.objects.filter(vm=web)] == ["n2"]
    assert not Slot.objects.exists()
    assert stage.world.double_runs() == []


def test_its_bar_only_grows_and_its_events_tell_the_story(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n2"))
    stage.run()
    done = stage.fresh(order)
    assert done.progress["percent"] == 100.0
    assert done.progress["downtime_ms"] > 0
    codes = list(Event.objects.filter(operation=order).order_by("id").values_list("code", flat=True))
    assert codes == ["move_ordered", "move_started", "move_done"]


def test_cancelled_half_way_it_still_runs_at_home(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n2"))
    work = carry(stage, order.pk, seconds=2.0)
    assert stage.fresh(order).progress["percent"] > 0
    operations.cancel(actor=stage.actor, operation=stage.fresh(order))
    finish(stage, work)
    assert stage.fresh(order).state == OperationState.CANCELLED
    assert stage.where("db") == {"n1": DomainState.RUNNING}
    assert stage.vm("db").state == VmState.RUNNING


def test_another_worker_goes_on_where_one_died(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n2"))
    carry(stage, order.pk, seconds=2.0)  # and is killed: nothing is given back
    stage.runner.enqueued.clear()
    stage.clock.advance(30.0)
    reap()
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert stage.where("db") == {"n2": DomainState.RUNNING}
    assert stage.world.double_runs() == []


def test_a_worker_that_dies_before_its_call_leaves_a_true_outcome(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"))
    operations.admit_waiting(stage.cluster)
    leases.claim(order.pk, "worker-1")
    work = Work(order.pk, "worker-1")
    leases.step(work.operation, step="called", hold=stage.node("n2"))
    stage.runner.enqueued.clear()
    stage.clock.advance(30.0)
    reap()
    stage.run()
    assert stage.fresh(order).state == OperationState.FAILED
    assert stage.where("web") == {"n1": DomainState.RUNNING}


def test_the_source_loses_power_while_copying(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n2"))
    work = carry(stage, order.pk, seconds=2.0)
    stage.faults.power_off("n1")
    for _ in range(50):
        one_step(work)
        stage.clock.advance(1.0)
    waiting = stage.fresh(order)
    assert waiting.state == OperationState.RUNNING
    assert "n1 does not answer" in waiting.wait_reason
    stage.faults.power_on("n1")
    stage.clock.advance(200.0)
    finish(stage, work)
    assert stage.fresh(order).state == OperationState.FAILED
    assert stage.world.double_runs() == []


def ended_unseen(stage: Stage) -> Operation:
    """db came up on n2 while n1 did not answer any more."""
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n2"))
    work = carry(stage, order.pk, seconds=2.0)
    stage.clock.advance(15)
    assert stage.where("db") == {"n2": DomainState.RUNNING}
    stage.faults.cut("n1")
    finish(stage, work)
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    return stage.fresh(order)


def slots(stage: Stage) -> set[str]:
    operations.admit_waiting(stage.cluster)
    return set(Slot.objects.values_list("node__name", flat=True))


def test_the_place_at_a_source_that_went_silent_is_kept_until_it_answers(stage: Stage) -> None:
    done = ended_unseen(stage)
    assert "n1 has not answered since" in done.advice
    watch = Watch(stage)
    watch.seconds(30)
    assert slots(stage) == {"n1"}
    stage.faults.mend("n1")
    watch.seconds(30)
    reap()
    stage.run()
    assert not Slot.objects.exists()


def test_a_place_that_is_kept_is_given_as_the_reason(stage: Stage) -> None:
    ended_unseen(stage)
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    assert slots(stage) == {"n1"}
    assert stage.fresh(order).wait_reason == "n1 is moving db (it has not answered since); 1st in line"


def test_only_one_order_at_a_time_for_a_vm(stage: Stage) -> None:
    vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"))
    with pytest.raises(ActionRefused, match="web is held by another order: live migration, requested by ana"):
        vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))


def test_a_waiting_order_says_what_it_waits_for(stage: Stage) -> None:
    first = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"))
    second = vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n3"))
    operations.admit_waiting(stage.cluster)
    assert Slot.objects.filter(operation=first).count() == 2
    assert stage.fresh(second).wait_reason == "n1 is moving web; 1st in line"
    stage.run()
    assert stage.fresh(second).state == OperationState.SUCCEEDED


def test_what_changed_while_it_waited_is_checked_again_before_it_begins(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"))
    Node.objects.filter(name="n2").update(paused=True)
    stage.run()
    done = stage.fresh(order)
    assert done.state == OperationState.FAILED
    assert "n2 is paused and takes no roles" in done.outcome
    assert stage.where("web") == {"n1": DomainState.RUNNING}


def test_a_vm_that_crashes_on_the_way_is_failed_and_not_called_off(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n2"))
    work = carry(stage, order.pk, seconds=2.0)
    stage.faults.crash(stage.vm("db").uuid)
    finish(stage, work)
    assert stage.fresh(order).state == OperationState.FAILED
    assert stage.vm("db").state == VmState.FAILED
    assert stage.where("db") == {}


def test_what_browsers_are_shown_never_runs_backwards(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that writes fast makes more to send in each pass; the bar waits instead of going back."""
    shown: list[float] = []
    monkeypatch.setattr(notices, "publish", lambda news: shown.extend(percents(news)))
    stage.faults.load(stage.vm("db").uuid, dirty_mib_s=600)
    vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n2"))
    stage.run()
    assert len(set(shown)) > 8
    assert shown == sorted(shown)


def percents(news: Iterable[object]) -> list[float]:
    return [float(n.figures["percent"]) for n in news if isinstance(n, notices.Progress)]
