"""Orders that wait for a silent host give their threads back; the engine and others never wait for them."""

from __future__ import annotations

import pytest

from clustermgr.actions import leases, operations, vms
from clustermgr.core.states import OperationKind, OperationState, VmState, Wanted
from clustermgr.drivers.contract import DomainState
from clustermgr.errors import ActionRefused
from clustermgr.jobs import threads
from clustermgr.jobs.operations import PATIENCE_S, reap
from clustermgr.jobs.threads import Limit
from clustermgr.models import Cluster, Event, Holder, Operation, Slot
from clustermgr.queries.rows import operation_rows
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.crowd import Crowd, parked
from tests.jobs.joining import join_new_vms
from tests.jobs.test_two_clusters import branch, till

__all__ = ["branch"]
FIFTY = [f"vm{number:02}" for number in range(50)]
FEW = FIFTY[: threads.WAITING[Limit.ORDINARY] + 4]


def under_way(stage: Stage, names: list[str]) -> None:
    """Orders of these were under way on n1 when nobody could reach it any more; their workers are gone."""
    for name in names:
        stage.world.vm(name, on="n1", memory_mib=64)
    join_new_vms(stage)
    for name in names:
        stage.faults.plan(stage.vm(name).uuid, {"stop_hangs": True})
        order = vms.shut_down(actor=stage.actor, vm=stage.vm(name))
        killing.carry(stage, order.pk, seconds=0)
    Operation.objects.update(lease_owner="", lease_expires=None)
    stage.runner.enqueued.clear()
    stage.faults.cut("n1")


@pytest.fixture
def crowd(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Crowd:
    under_way(stage, FIFTY)
    return Crowd(stage, monkeypatch)


@pytest.fixture
def few(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Crowd:
    """More than may wait at once, and no more than that."""
    under_way(stage, FEW)
    return Crowd(stage, monkeypatch)


def restarted_within(stage: Stage, crowd: Crowd, seconds: int) -> bool:
    """The VM on a node that answers crashes, and runs again in time."""
    stage.faults.crash(stage.vm("app").uuid)
    crowd.seconds(seconds)
    return bool(stage.where("app"))


@pytest.mark.parametrize("since", [0, 61])
def test_a_crash_elsewhere_is_mended_and_another_clusters_orders_go_on_as_usual(
    stage: Stage, branch: Cluster, crowd: Crowd, since: int
) -> None:
    crowd.seconds(since)
    order = vms.turn_off(actor=stage.actor, vm=till())
    assert restarted_within(stage, crowd, 14)
    assert stage.fresh(order).state == OperationState.SUCCEEDED, stage.fresh(order).wait_reason
    assert crowd.most_taken < threads.THREADS


def test_what_waits_gives_its_thread_back_and_keeps_what_it_holds(stage: Stage, few: Crowd) -> None:
    few.seconds(50)
    assert few.most_waiting == threads.WAITING[Limit.ORDINARY]
    assert parked() == len(FEW) - len(few.carriers)
    assert parked() >= threads.WAITING[Limit.ORDINARY]
    waiting = Operation.objects.filter(state=OperationState.RUNNING)
    assert all("n1 does not answer" in reason for reason in waiting.values_list("wait_reason", flat=True))
    assert Holder.objects.filter(vm__name__in=FEW, node=stage.node("n1")).count() == len(FEW)
    with pytest.raises(ActionRefused, match="shut down"):
        vms.turn_off(actor=stage.actor, vm=stage.vm("vm00"))


def test_when_the_node_is_heard_again_they_all_go_on(stage: Stage, few: Crowd) -> None:
    few.seconds(50)
    for name in FEW:
        stage.faults.plan(stage.vm(name).uuid, {"stop_hangs": False})
    stage.faults.mend("n1")
    few.seconds(20)
    done = Operation.objects.filter(vm__name__in=FEW, state=OperationState.SUCCEEDED)
    assert done.count() == len(FEW)


def test_a_live_migration_that_waits_keeps_its_slots(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    killing.carry(stage, order.pk, seconds=1)
    Operation.objects.update(lease_owner="", lease_expires=None)
    stage.faults.cut("n1")
    stage.faults.cut("n3")
    reap()
    stage.run()
    assert parked() == 1
    assert Slot.objects.filter(operation=order).count() == 2
    assert stage.vm("web").state == VmState.MIGRATING
    operations.cancel(actor=stage.actor, operation=stage.fresh(order))
    stage.run()
    assert stage.fresh(order).state == OperationState.CANCELLING
    assert Slot.objects.filter(operation=order).count() == 2


def waiting_start(stage: Stage) -> Operation:
    """n1 took a start of `idle`, and fell silent; nobody carries the order now."""
    order = vms.start(actor=stage.actor, vm=stage.vm("idle"))
    killing.carry(stage, order.pk, seconds=0.2)
    Operation.objects.update(lease_owner="", lease_expires=None)
    stage.faults.cut("n1")
    reap()
    stage.run()
    assert parked() == 1
    return stage.fresh(order)


def test_it_is_not_sent_again_before_its_time(stage: Stage) -> None:
    waiting_start(stage)
    reap()
    assert stage.runner.enqueued == []
    stage.clock.advance(3 * PATIENCE_S)
    reap()
    assert [message.task for message in stage.runner.enqueued] == [threads.DRIVE]


def test_a_cancel_ends_it_with_its_holders_and_says_what_may_run_where(stage: Stage) -> None:
    order = waiting_start(stage)
    assert operation_rows([order.pk])[0].stoppable
    operations.cancel(actor=stage.actor, operation=order)
    stage.run()
    ended = stage.fresh(order)
    assert (ended.state, ended.due_at) == (OperationState.CANCELLED, None)
    assert "Cancelled while n1 did not answer: idle may still run there" in ended.outcome
    assert [holder.node.name for holder in Holder.objects.filter(vm=stage.vm("idle"))] == ["n1"]
    assert (stage.vm("idle").state, stage.vm("idle").wanted) == (VmState.UNMONITORED, Wanted.OFF)
    assert Event.objects.filter(code="order_cancelled", operation=order).exists()


def test_a_cancel_of_what_can_go_on_after_all_looks_first(stage: Stage) -> None:
    order = waiting_start(stage)
    stage.faults.mend("n1")
    operations.cancel(actor=stage.actor, operation=order)
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert stage.where("idle") == {"n1": DomainState.RUNNING}


def test_what_owes_its_node_a_definition_is_not_given_up(stage: Stage) -> None:
    order = waiting_start(stage)
    Operation.objects.update(memory={**order.memory, "definition": stage.vm("idle").definition})
    operations.cancel(actor=stage.actor, operation=order)
    stage.run()
    assert stage.fresh(order).state == OperationState.CANCELLING
    stage.faults.mend("n1")
    stage.clock.advance(60)
    reap()
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED


def test_a_cancel_that_comes_while_a_worker_looks_is_not_left_for_a_minute(stage: Stage) -> None:
    order = waiting_start(stage)
    assert leases.claim(order.pk, "worker-2")
    work = leases.owned(order.pk, "worker-2")
    operations.cancel(actor=stage.actor, operation=stage.fresh(order))
    assert not leases.park(work, seconds=60)


def test_a_cancelled_recovery_is_not_ordered_again_by_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    Holder.objects.create(
        vm=stage.vm("app"), node=stage.node("n1"), since=stage.clock.now(), because="a call without an answer"
    )
    stage.faults.cut("n1")
    crowd = Crowd(stage, monkeypatch)
    assert not restarted_within(stage, crowd, 40)
    order = Operation.objects.get(vm=stage.vm("app"), kind=OperationKind.RECOVERY)
    assert "may still have a copy on n1" in order.wait_reason
    operations.cancel(actor=stage.actor, operation=order)
    crowd.seconds(30)
    assert stage.fresh(order).state == OperationState.CANCELLED
    assert not Operation.objects.filter(vm=stage.vm("app"), state__in=operations.ACTIVE).exists()
    assert stage.where("app") == {}
