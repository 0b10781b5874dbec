"""The machine's clock is set back by an hour: the watch sees on, and nothing waits for the hour to pass."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clustermgr.actions import watching
from clustermgr.core.states import VmState
from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.models import Event, Holder
from tests.jobs.conftest import Stage
from tests.jobs.test_stamps import swept
from tests.jobs.test_watch import Watch, holders

HOUR = 3600


@pytest.fixture
def watch(stage: Stage) -> Watch:
    watch = Watch(stage)
    swept(stage, watch, 15)
    return watch


def test_a_stop_on_the_host_is_still_followed(stage: Stage, watch: Watch) -> None:
    OnHost(stage.world, "n1").turn_off(stage.vm("db").uuid)
    swept(stage, watch, 10)
    stage.clock.set_back(HOUR)
    OnHost(stage.world, "n1").turn_off(stage.vm("web").uuid)
    OnHost(stage.world, "n1").start(stage.vm("db").uuid)
    swept(stage, watch, 30)
    assert (stage.vm("web").state, stage.vm("db").state) == (VmState.OFF, VmState.RUNNING)


def test_it_calls_nothing_failed_by_itself(stage: Stage, watch: Watch) -> None:
    stage.clock.set_back(HOUR)
    swept(stage, watch, 60)
    assert not Event.objects.filter(level__in=["error", "critical"]).exists()
    assert stage.where("web") == {"n1": DomainState.RUNNING}


def test_a_watch_that_begins_after_it_sees_as_well(stage: Stage, watch: Watch) -> None:
    OnHost(stage.world, "n1").turn_off(stage.vm("db").uuid)
    swept(stage, watch, 10)
    watch.watcher.close()
    stage.clock.set_back(HOUR)
    OnHost(stage.world, "n1").start(stage.vm("db").uuid)
    swept(stage, Watch(stage, "second"), 15)
    assert stage.vm("db").state == VmState.RUNNING


def test_a_former_holder_is_let_go(stage: Stage, watch: Watch) -> None:
    since = stage.clock.now()
    Holder.objects.create(vm=stage.vm("web"), node=stage.node("n2"), since=since, because="start")
    stage.clock.set_back(HOUR)
    swept(stage, watch, 30)
    assert holders(stage, "web") == {"n1"}


def test_the_lease_of_a_killed_watch_does_not_hold_for_the_hour(stage: Stage, watch: Watch) -> None:
    stage.clock.set_back(HOUR)
    assert stage.cluster.pk not in watching.due()  # it may live, and then goes on within its usual time
    stage.clock.advance(watching.LEASE_S + 0.1)
    assert stage.cluster.pk in watching.due()
    assert watching.take(stage.cluster.pk, "another")
    assert not watching.take(stage.cluster.pk, "third")


def test_a_look_from_before_says_nothing(stage: Stage, watch: Watch) -> None:
    eye = watch.watcher.eyes[stage.node("n1").pk]
    eye.hurry()
    old = [reading for reading in eye.look() if hasattr(reading, "seen")]
    assert old
    stage.clock.set_back(HOUR)
    watch.watcher.observer.observe(old)
    assert stage.node("n1").pk not in watch.watcher.observer.picture.looks
    assert stage.clock.now() < old[0].began - timedelta(seconds=HOUR - 1)
