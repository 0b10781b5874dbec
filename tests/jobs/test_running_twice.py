"""A machine that runs on two nodes is frozen: every copy is remembered, and nothing is done by itself."""

from __future__ import annotations

import pytest

from clustermgr.core.states import VmState, Wanted
from clustermgr.drivers.contract import Destination, DomainState, MigrationOptions
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.drivers.registry import connect
from clustermgr.models import Event, Operation
from tests.jobs.conftest import Stage
from tests.jobs.test_stamps import swept
from tests.jobs.test_watch import Watch, holders

RUNNING = DomainState.RUNNING


@pytest.fixture
def watch(stage: Stage) -> Watch:
    """app runs on n2, and by hand on n3 too; the watch has seen it."""
    stage.faults.image_lock("csv1", locks=False)
    watch = Watch(stage)
    swept(stage, watch, 5)
    uuid = stage.vm("app").uuid
    connect("lab", "lab:n3").define(connect("lab", "lab:n2").read_config(uuid).definition)
    OnHost(stage.world, "n3").start(uuid)
    swept(stage, watch, 20)
    return watch


def test_each_node_on_which_it_is_seen_is_a_holder(stage: Stage, watch: Watch) -> None:
    assert holders(stage, "app") == {"n2", "n3"}
    assert stage.vm("app").state_reason.startswith("Running on n2 and n3 at once.")
    assert Event.objects.filter(code="vm_running_twice", level="critical").count() == 1


def test_when_one_node_falls_silent_and_the_other_copy_crashes_nothing_is_started(
    stage: Stage, watch: Watch
) -> None:
    stage.faults.cut("n3")
    swept(stage, watch, 15)
    stage.faults.crash(stage.vm("app").uuid, node="n2")
    swept(stage, watch, 30)
    app = stage.vm("app")
    assert (app.state, stage.where("app")) == (VmState.FAILED, {"n3": RUNNING})
    assert app.state_reason.startswith("It ran on two nodes at once, and n3 may still run it.")
    assert not Operation.objects.filter(vm=app).exists()
    stage.faults.mend("n3")
    swept(stage, watch, 30)
    assert (stage.vm("app").owner.name, stage.vm("app").state) == ("n3", VmState.RUNNING)
    assert stage.vm("app").state_reason == ""


def test_when_both_copies_end_an_administrator_looks_first(stage: Stage, watch: Watch) -> None:
    for node in ("n2", "n3"):
        stage.faults.crash(stage.vm("app").uuid, node=node)
    swept(stage, watch, 60)
    app = stage.vm("app")
    assert (app.state, app.wanted, stage.where("app")) == (VmState.FAILED, Wanted.RUNNING, {})
    assert "look at its disk, then start it" in app.state_reason
    assert not Operation.objects.filter(vm=app).exists()


def test_once_a_copy_was_turned_off_by_hand_it_is_one_machine_again(stage: Stage, watch: Watch) -> None:
    OnHost(stage.world, "n3").turn_off(stage.vm("app").uuid)
    swept(stage, watch, 30)
    assert (holders(stage, "app"), stage.vm("app").state_reason) == ({"n2"}, "")
    stage.faults.crash(stage.vm("app").uuid, node="n2")
    swept(stage, watch, 20)
    assert stage.where("app") == {"n2": RUNNING}


def test_a_copy_that_only_arrives_by_a_move_of_others_is_a_holder_too(stage: Stage) -> None:
    watch = Watch(stage)
    swept(stage, watch, 5)
    host = connect("lab", "lab:n1")
    host.begin_migrate(stage.vm("web").uuid, Destination("lab:n3", "n3"), MigrationOptions(bandwidth=1 << 20))
    swept(stage, watch, 12)
    assert holders(stage, "web") == {"n1", "n3"}
