"""Quick migration and move: down here, up there, never twice."""

from __future__ import annotations

import pytest

from clustermgr.actions import vms
from clustermgr.core.states import OfflineAction, OperationState, VmState
from clustermgr.drivers.contract import DomainState
from clustermgr.errors import ActionRefused
from clustermgr.jobs.operations import reap
from clustermgr.models import Holder, Vm, Volume
from tests.jobs.conftest import Stage
from tests.jobs.killing import carry
from tests.jobs.test_recovery import left_behind


def test_quick_migration_restores_the_vm_on_the_other_node(stage: Stage) -> None:
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n3"))
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED, stage.fresh(order).outcome
    assert stage.where("db") == {"n3": DomainState.RUNNING}
    db = stage.vm("db")
    assert (db.owner.name, db.state, db.saved_file) == ("n3", VmState.RUNNING, "")
    assert [h.node.name for h in Holder.objects.filter(vm=db)] == ["n3"]
    assert stage.world.saved_file(db.uuid) == ""
    assert [copy.host for copy in stage.world.copies(db.uuid)] == ["n3"]


@pytest.mark.parametrize("action", list(OfflineAction))
def test_move_by_each_offline_action_ends_running_on_the_target(stage: Stage, action: OfflineAction) -> None:
    order = vms.move(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"), offline_action=action)
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED, stage.fresh(order).outcome
    assert stage.where("web") == {"n2": DomainState.RUNNING}
    assert stage.vm("web").owner.name == "n2"
    assert stage.world.double_runs() == []


def test_an_off_vm_is_given_to_the_target_and_stays_off(stage: Stage) -> None:
    order = vms.move(actor=stage.actor, vm=stage.vm("idle"), target=stage.node("n2"))
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED, stage.fresh(order).outcome
    assert stage.where("idle") == {}
    assert (stage.vm("idle").owner.name, stage.vm("idle").state) == ("n2", VmState.OFF)


def test_a_save_that_fails_leaves_the_vm_running_at_home(stage: Stage) -> None:
    stage.faults.plan(stage.vm("web").uuid, {"save_fails": 1})
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"))
    stage.run()
    assert stage.fresh(order).state == OperationState.FAILED
    assert stage.where("web") == {"n1": DomainState.RUNNING}
    assert stage.vm("web").state == VmState.RUNNING
    assert stage.vm("web").wanted == "running"


def test_a_start_that_fails_on_the_target_brings_the_vm_home(stage: Stage) -> None:
    stage.faults.plan(stage.vm("web").uuid, {"start_fails_on": {"n2": 1}})
    order = vms.move(
        actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"), offline_action="shut_down"
    )
    stage.run()
    done = stage.fresh(order)
    assert done.state == OperationState.FAILED
    assert "runs again on n1" in done.outcome
    assert stage.where("web") == {"n1": DomainState.RUNNING}
    assert stage.world.double_runs() == []


@pytest.mark.parametrize(("path", "words"), [("/dev/vg0", "keeps no files"), ("", "keeps no files")])
@pytest.mark.parametrize("verb", ["save", "quick_migrate", "move"])
def test_memory_is_not_saved_where_no_files_are_kept(stage: Stage, verb: str, path: str, words: str) -> None:
    Volume.objects.update(path=path)
    more = {} if verb == "save" else {"target": stage.node("n2")}
    with pytest.raises(ActionRefused, match=words):
        getattr(vms, verb)(actor=stage.actor, vm=stage.vm("web"), **more)
    vms.move(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"), offline_action="turn_off")
    vms.move(actor=stage.actor, vm=stage.vm("idle"), target=stage.node("n2"))
    stage.run()
    assert {stage.vm("web").owner.name, stage.vm("idle").owner.name} == {"n2"}


@pytest.mark.parametrize("verb", ["save", "quick_migrate"])
def test_a_volume_that_came_to_keep_no_files_ends_the_order_before_anything_is_done(
    stage: Stage, verb: str
) -> None:
    more = {} if verb == "save" else {"target": stage.node("n2")}
    order = getattr(vms, verb)(actor=stage.actor, vm=stage.vm("web"), **more)
    Volume.objects.update(path="/dev/vg0")
    stage.run()
    assert "there is no place to save its memory" in stage.fresh(order).outcome
    assert (stage.vm("web").state, stage.where("web")) == (VmState.RUNNING, {"n1": DomainState.RUNNING})


def test_a_target_that_itself_keeps_an_old_state_of_the_vm_is_refused_before_anything_is_done(
    stage: Stage,
) -> None:
    left_behind(stage, "web", "n2")
    with stage.world.write() as tx:
        tx.set_copy("n2", stage.vm("web").uuid, state=DomainState.SAVED)
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2"))
    stage.run()
    assert "n2 itself keeps a saved state of web" in stage.fresh(order).outcome
    assert stage.where("web") == {"n1": DomainState.RUNNING}


@pytest.mark.parametrize("seconds", [0.3, 1.0, 5.0, 8.5, 9.0, 9.5, 10.0, 17.0, 18.0])
@pytest.mark.parametrize("kind", ["quick", "shut_down"])
def test_killed_at_any_moment_the_next_worker_ends_it(stage: Stage, kind: str, seconds: float) -> None:
    web: Vm = stage.vm("db")
    if kind == "quick":
        order = vms.quick_migrate(actor=stage.actor, vm=web, target=stage.node("n3"))
    else:
        order = vms.move(actor=stage.actor, vm=web, target=stage.node("n3"), offline_action=kind)
    carry(stage, order.pk, seconds=seconds)
    stage.runner.enqueued.clear()
    stage.clock.advance(30.0)
    reap()
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED, stage.fresh(order).outcome
    assert stage.where("db") == {"n3": DomainState.RUNNING}
    assert stage.world.double_runs() == []
