"""A cluster that stood down by itself may not be the only manager: its orders begin nothing more, and what
goes on at the hosts already is followed to its end (safety.md 7.2)."""

from __future__ import annotations

import pytest

from clustermgr.actions import standing, vms
from clustermgr.core.stamps import Stamp
from clustermgr.core.states import OperationState, VmState
from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.drivers.registry import connect
from clustermgr.jobs.engine import decide
from clustermgr.models import Cluster, Holder, Operation
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.test_recovery import crash


def rival_seen(stage: Stage) -> None:
    """Another manager's stamp was read on a machine of the cluster."""
    stamp = Stamp("other", 3, stage.vm("web").uuid)
    standing.found_rivals(stage.node("n1"), [("web", stamp)])


def taken_over(stage: Stage) -> None:
    standing.take_over(actor=stage.actor, cluster=stage.cluster, confirm="Test")
    stage.runner.enqueued.clear()


def test_a_start_that_waits_begins_nothing_when_a_rival_has_the_vm_meanwhile(stage: Stage) -> None:
    stage.faults.image_lock("csv1", locks=False)
    idle = stage.vm("idle")
    Holder.objects.create(vm=idle, node=stage.node("n2"), since=stage.clock.now(), because="start")
    stage.faults.cut("n2")
    order = vms.start(actor=stage.actor, vm=idle)
    work = killing.carry(stage, order.pk, seconds=5)
    rival_seen(stage)
    connect("lab", "lab:n3").define(connect("lab", "lab:n1").read_config(idle.uuid).definition)
    OnHost(stage.world, "n3").start(idle.uuid)
    stage.faults.mend("n2")
    killing.finish(stage, work)
    assert stage.fresh(order).state == OperationState.CANCELLED
    assert "Cancelled before it began: Test stood down." in stage.fresh(order).outcome
    assert (stage.vm("idle").state, list(stage.where("idle"))) == (VmState.OFF, ["n3"])


def test_a_copy_that_is_paused_already_is_resumed_only_after_a_take_over(stage: Stage) -> None:
    order = vms.start(actor=stage.actor, vm=stage.vm("idle"))
    work = killing.until_step(stage, order, "called")
    rival_seen(stage)
    killing.steps(stage, work, 60)
    assert stage.where("idle") == {"n1": DomainState.PAUSED}
    assert "Test stands down" in stage.fresh(order).wait_reason
    assert "another manager (other, epoch 3)" in stage.fresh(order).wait_reason
    taken_over(stage)
    killing.finish(stage, work)
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert stage.where("idle") == {"n1": DomainState.RUNNING}


def test_a_recovery_tries_no_other_node_and_begins_afresh_after_a_take_over(stage: Stage) -> None:
    crash(stage, "web")
    stage.faults.plan(stage.vm("web").uuid, {"start_fails_on": {"n1": 1}})
    decide(stage.cluster.pk)
    order = Operation.objects.get(vm=stage.vm("web"))
    work = killing.until_step(stage, order, "called")
    rival_seen(stage)
    killing.steps(stage, work, 60)
    assert stage.where("web") == {}
    assert [copy.host for copy in stage.world.copies(stage.vm("web").uuid)] == ["n1"]
    taken_over(stage)
    killing.finish(stage, work)
    assert list(stage.where("web").values()) == [DomainState.RUNNING]


def test_a_recovery_that_has_not_begun_ends_and_its_vm_stays_failed(stage: Stage) -> None:
    crash(stage, "web")
    decide(stage.cluster.pk)
    order = Operation.objects.get(vm=stage.vm("web"))
    work = killing.taken(stage, order.pk)
    rival_seen(stage)
    killing.finish(stage, work)
    assert stage.fresh(order).state == OperationState.CANCELLED
    assert (stage.vm("web").state, stage.where("web")) == (VmState.FAILED, {})


def test_a_migration_that_copies_goes_on_to_its_end(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n2"))
    work = killing.carry(stage, order.pk, seconds=2.0)
    rival_seen(stage)
    killing.finish(stage, work)
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert stage.where("db") == {"n2": DomainState.RUNNING}


def test_a_save_that_writes_goes_on_to_its_end_and_the_move_waits_there(stage: Stage) -> None:
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n3"))
    work = killing.carry(stage, order.pk, seconds=2.0)
    rival_seen(stage)
    killing.steps(stage, work, 60)
    assert (stage.fresh(order).step, stage.where("db")) == ("away", {})
    assert "Test stands down" in stage.fresh(order).wait_reason
    taken_over(stage)
    killing.finish(stage, work)
    assert stage.where("db") == {"n3": DomainState.RUNNING}


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("live_migrate", {"target": "n3"}),
        ("quick_migrate", {"target": "n3"}),
        ("shut_down", {}),
        ("turn_off", {}),
        ("save", {}),
    ],
)
def test_what_a_worker_took_and_did_not_begin_is_cancelled(stage: Stage, verb: str, more: dict) -> None:
    more = {name: stage.node(node) for name, node in more.items()}
    order = getattr(vms, verb)(actor=stage.actor, vm=stage.vm("web"), **more)
    work = killing.taken(stage, order.pk)
    rival_seen(stage)
    killing.finish(stage, work)
    assert stage.fresh(order).state == OperationState.CANCELLED, stage.fresh(order).outcome
    assert (stage.vm("web").state, stage.where("web")) == (VmState.RUNNING, {"n1": DomainState.RUNNING})


def test_a_person_who_stands_the_cluster_down_lets_what_runs_go_on(stage: Stage) -> None:
    order = vms.start(actor=stage.actor, vm=stage.vm("idle"))
    work = killing.until_step(stage, order, "called")
    standing.stand_down(actor=stage.actor, cluster=stage.cluster, reason="Work on the storage.")
    killing.finish(stage, work)
    assert Cluster.objects.get().stood_down_by == "ana"
    assert stage.where("idle") == {"n1": DomainState.RUNNING}
