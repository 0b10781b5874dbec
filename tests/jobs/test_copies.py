"""Two copies of one database at work on the same hosts, without a restore: one of them stands down."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from clustermgr.actions import standing, vms, watching
from clustermgr.core.markers import ClaimState
from clustermgr.core.states import OperationState
from clustermgr.errors import ActionRefused
from clustermgr.jobs.claims import claim
from clustermgr.jobs.stock import VOLUMES_S
from clustermgr.models import Event, WatchShard
from tests.jobs.conftest import Stage
from tests.jobs.test_claims import down, restarted, row
from tests.jobs.test_stamps import cluster, stamps, swept
from tests.jobs.test_watch import Watch
from tests.twins import copy_into, second_manager


@dataclass
class Pair:
    """The first manager's watch, and the database of a copy that was made while it was at work."""

    stage: Stage
    first: Watch
    file: Path

    def twin(self) -> AbstractContextManager[None]:
        return second_manager(self.file)


@pytest.fixture
def pair(stage: Stage, tmp_path: Path) -> Pair:
    first = Watch(stage)
    swept(stage, first)
    copy_into(tmp_path / "twin.sqlite3")
    return Pair(stage, first, tmp_path / "twin.sqlite3")


def went_on(stage: Stage, watch: Watch, seconds: int) -> None:
    """It watched all the while; virtual time passed in the other manager's database."""
    expires = stage.clock.now() + timedelta(seconds=watching.LEASE_S)
    WatchShard.objects.update(lease_owner=watch.watcher.owner, lease_expires=expires)
    swept(stage, watch, seconds)


def taken_over(stage: Stage) -> None:
    standing.take_over(actor=stage.actor, cluster=cluster(stage), confirm="Test")


def test_the_older_one_stands_down_within_one_look_and_takes_no_order(stage: Stage, pair: Pair) -> None:
    with pair.twin():
        swept(stage, restarted(stage, "twin"), 2)
        assert (row(stage).state, row(stage).session, down(stage)) == (ClaimState.HELD, 2, False)
    swept(stage, pair.first, int(VOLUMES_S) + 1)
    assert down(stage)
    event = Event.objects.get(code="second_manager")
    assert event.level == "critical"
    assert "its marker (epoch 1, session 2) lies on csv1. End one of the two." in event.params["reason"]
    with pytest.raises(ActionRefused, match="takes no orders"):
        vms.shut_down(actor=stage.actor, vm=stage.vm("web"))
    with pytest.raises(ActionRefused, match="take over management"):
        standing.resume(actor=stage.actor, cluster=cluster(stage))
    with pair.twin():
        swept(stage, restarted(stage, "twin again"), 40)
        assert not down(stage)


def test_the_one_that_stands_down_is_quiet_and_writes_nothing(stage: Stage, pair: Pair) -> None:
    with pair.twin():
        swept(stage, restarted(stage, "twin"), 2)
    swept(stage, pair.first, 40)
    version, events = cluster(stage).version, Event.objects.count()
    swept(stage, pair.first, 60)
    assert (cluster(stage).version, Event.objects.count()) == (version, events)


def test_its_administrator_gets_it_back_by_a_take_over(stage: Stage, pair: Pair) -> None:
    with pair.twin():
        twin = restarted(stage, "twin")
        swept(stage, twin, 2)
    swept(stage, pair.first, 16)
    taken_over(stage)
    stage.run()
    assert (row(stage).state, row(stage).epoch, row(stage).session) == (ClaimState.HELD, 2, 1)
    assert "epoch=2" in stamps(stage, "web")[0]
    with pair.twin():
        went_on(stage, twin, 16)
        assert "epoch 2" in cluster(stage).stood_down_reason  # on a machine or on the volume
    swept(stage, restarted(stage, "first again"), 40)
    assert not down(stage)


def test_a_copy_that_was_made_long_ago_does_not_even_begin(stage: Stage, pair: Pair) -> None:
    for number in range(3):
        swept(stage, restarted(stage, f"first {number}"), 20)
    with pair.twin():
        order = vms.turn_off(actor=stage.actor, vm=stage.vm("app"))
        swept(stage, restarted(stage, "twin"), 2)
        assert "(epoch 1, session 4)" in cluster(stage).stood_down_reason
        assert stage.fresh(order).state == OperationState.CANCELLED
    assert not down(stage)
    assert stage.where("app")


def test_of_two_that_start_at_once_one_wins(stage: Stage, pair: Pair) -> None:
    restarted(stage, "first")
    with pair.twin():
        restarted(stage, "twin")
        claim(stage.cluster.pk)
    claim(stage.cluster.pk)
    assert down(stage)
    with pair.twin():
        assert (row(stage).state, down(stage)) == (ClaimState.HELD, False)


def test_of_two_that_take_over_at_once_one_wins_and_stamps_the_machines(stage: Stage, pair: Pair) -> None:
    for manager in (nullcontext(), pair.twin()):
        with manager:
            type(stage.cluster).objects.update(stood_down_at=stage.clock.now(), stood_down_by="")
            taken_over(stage)
    with pair.twin():
        claim(stage.cluster.pk)
        assert (row(stage).state, row(stage).epoch) == (ClaimState.HELD, 2)
    assert "epoch=1" in stamps(stage, "web")[0]
    claim(stage.cluster.pk)
    assert down(stage)
    taken_over(stage)
    assert standing.installation().epoch == 3


def test_a_copy_is_seen_wherever_it_left_its_marker(stage: Stage, pair: Pair) -> None:
    """Not only on the volume that the first one has claimed."""
    stage.world.volume("csv2")
    swept(stage, pair.first, 20)
    with pair.twin():
        swept(stage, restarted(stage, "twin"), 20)
        for node in ("n1", "n2", "n3"):
            stage.faults.storage_cut(node, "csv1")
        swept(stage, restarted(stage, "twin again"), 20)
        assert row(stage).volume == "csv2"
    went_on(stage, pair.first, 16)
    assert "lies on csv2" in cluster(stage).stood_down_reason


def test_what_a_person_stood_down_is_then_more_than_that(stage: Stage, pair: Pair) -> None:
    standing.stand_down(actor=stage.actor, cluster=stage.cluster, reason="Work on the storage.")
    with pair.twin():
        swept(stage, restarted(stage, "twin"), 2)
    swept(stage, pair.first, 16)
    assert cluster(stage).stood_down_by == ""
