"""A machine that somebody moved with virsh is never started again where it was (safety.md 1)."""

from __future__ import annotations

import pytest

from clustermgr.core.states import VmState
from clustermgr.drivers.contract import Destination, DomainState, MigrationOptions
from clustermgr.drivers.registry import connect
from clustermgr.models import Event
from tests.jobs.conftest import Stage
from tests.jobs.test_stamps import swept
from tests.jobs.test_watch import Watch

ON_N3 = {"n3": DomainState.RUNNING}


@pytest.fixture(autouse=True)
def raw_disks(stage: Stage) -> None:
    """No image lock stops a second start."""
    stage.faults.image_lock("csv1", locks=False)


def moved_by_hand(stage: Stage) -> None:
    """`virsh migrate --undefinesource` of web, n1 to n3."""
    host = connect("lab", "lab:n1")
    host.begin_migrate(stage.vm("web").uuid, Destination("lab:n3", "n3"), MigrationOptions())
    while stage.where("web") != ON_N3:
        stage.clock.advance(0.1)


def look_through(stage: Stage, watch: Watch, *names: str) -> None:
    for name in names:
        for reading in watch.watcher.eyes[stage.node(name).pk].look():
            watch.watcher.inbox.put(reading)
    watch.watcher.tick()


def test_a_watch_that_has_just_begun_waits_until_it_looked_everywhere(stage: Stage) -> None:
    moved_by_hand(stage)
    watch = Watch(stage)
    look_through(stage, watch, "n1", "n2")
    stage.run()
    assert stage.vm("web").state == VmState.RUNNING
    swept(stage, watch, 10)
    assert (stage.vm("web").owner.name, stage.where("web")) == ("n3", ON_N3)
    assert not Event.objects.filter(code="vm_failed").exists()


@pytest.mark.parametrize("watched_before", [False, True])
def test_where_it_may_run_on_a_silent_node_it_is_unknown_until_that_answers(
    stage: Stage, watched_before: bool
) -> None:
    watch = Watch(stage)
    swept(stage, watch, 10 if watched_before else 0)
    moved_by_hand(stage)
    stage.faults.cut("n3")
    swept(stage, watch, 40)
    web = stage.vm("web")
    assert (web.state, web.owner.name, stage.where("web")) == (VmState.UNKNOWN, "n1", ON_N3)
    assert web.state_reason == "n1 no longer knows it. n3 may have it and does not answer."
    stage.faults.mend("n3")
    swept(stage, watch, 20)
    web = stage.vm("web")
    assert (web.state, web.owner.name) == (VmState.RUNNING, "n3")
    assert stage.world.double_runs() == []


def test_a_node_that_is_down_for_days_stops_no_restart_of_what_crashed(stage: Stage) -> None:
    watch = Watch(stage)
    stage.faults.cut("n3")
    swept(stage, watch, 15)
    stage.faults.crash(stage.vm("web").uuid)
    swept(stage, watch, 15)
    assert (stage.vm("web").state, stage.where("web")) == (VmState.RUNNING, {"n1": DomainState.RUNNING})
