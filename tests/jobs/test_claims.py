"""The claim of a watch's session on simulated hosts: made, read back, found again, waited for, tidied."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from clustermgr.actions import claims, leases, standing, vms, watching
from clustermgr.core.markers import ClaimState
from clustermgr.core.states import OperationState, VmState
from clustermgr.drivers.registry import connect
from clustermgr.jobs import claims as job
from clustermgr.jobs.claims import claim
from clustermgr.jobs.hosts import connect_to
from clustermgr.models import Claim, Cluster, VolumeAccess
from clustermgr.queries import find
from clustermgr.queries.overview import overview
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.killing import Acts, Killed
from tests.jobs.test_recovery import crash
from tests.jobs.test_stamps import swept
from tests.jobs.test_watch import Watch


def on(stage: Stage, node: str = "n1") -> dict[str, int]:
    """The markers on csv1 as a node sees them."""
    return connect("lab", f"lab:{node}").markers("csv1")


def row(stage: Stage) -> Claim:
    return Claim.objects.get(cluster=stage.cluster)


def down(stage: Stage) -> bool:
    return Cluster.objects.get(pk=stage.cluster.pk).stood_down_at is not None


def restarted(stage: Stage, owner: str) -> Watch:
    """Whoever watched has ended; another one begins."""
    watching.WatchShard.objects.update(lease_owner="", lease_expires=None)
    return Watch(stage, owner, claimed=False)


def warned(stage: Stage) -> list[str]:
    return [each.text for each in overview(find.cluster("test")).attention]


def test_a_watch_claims_its_session_and_every_node_sees_it(stage: Stage) -> None:
    Watch(stage, claimed=False)
    stage.run()
    found = row(stage)
    assert (found.state, found.volume, found.session) == (ClaimState.HELD, "csv1", 1)
    assert [list(on(stage, node)) for node in ("n1", "n2", "n3")] == [[claims.session(found).name]] * 3


def test_nothing_is_begun_before_the_claim_and_all_of_it_after(stage: Stage) -> None:
    watch = Watch(stage, claimed=False)
    stage.runner.enqueued.clear()
    order = vms.turn_off(actor=stage.actor, vm=stage.vm("app"))
    crash(stage, "web")
    watch.seconds(3)
    assert [entry for entry in stage.runner.enqueued if entry.task == claims.CLAIM] == []
    stage.run()
    assert stage.fresh(order).state == OperationState.QUEUED
    assert "no other copy of its manager is at work" in stage.fresh(order).wait_reason
    assert stage.vm("web").state == VmState.FAILED
    swept(stage, watch, 10)
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert stage.vm("web").state == VmState.RUNNING


def test_an_order_that_lost_its_worker_waits_as_well(stage: Stage) -> None:
    order = vms.shut_down(actor=stage.actor, vm=stage.vm("app"))
    stage.runner.enqueued.clear()
    killing.carry(stage, order.pk, seconds=1)
    stage.clock.advance(30)
    watching.take(stage.cluster.pk, "me")
    assert not leases.claim(order.pk, "worker-2")
    claim(stage.cluster.pk)
    assert leases.claim(order.pk, "worker-2")


def test_a_worker_that_starts_where_nobody_watches_waits_for_a_session(stage: Stage) -> None:
    watch = Watch(stage)
    claims.begin_unwatched()
    assert (row(stage).state, row(stage).session) == (ClaimState.HELD, 1)
    watching.free(stage.cluster.pk, watch.watcher.owner)
    for _ in range(3):  # several processes start
        claims.begin_unwatched()
    assert (row(stage).state, row(stage).session) == (ClaimState.OPEN, 2)
    assert claims.unsettled(stage.cluster.pk)


def test_a_volume_that_does_not_answer_is_not_waited_for_for_ever(stage: Stage) -> None:
    for node in ("n1", "n2", "n3"):
        stage.faults.storage_cut(node, "csv1")
    assert watching.take(stage.cluster.pk, "me")
    claim(stage.cluster.pk)
    assert (row(stage).state, claims.unsettled(stage.cluster.pk)) == (ClaimState.OPEN, True)
    stage.clock.advance(30)
    assert not claims.unsettled(stage.cluster.pk)
    claim(stage.cluster.pk)
    assert row(stage).state == ClaimState.IMPOSSIBLE
    assert "cannot reach csv1" in row(stage).reason
    for node in ("n1", "n2", "n3"):
        stage.faults.storage_mend(node, "csv1")
    claim(stage.cluster.pk)
    assert (row(stage).state, row(stage).reason) == (ClaimState.HELD, "")


def test_a_watch_that_starts_again_and_again_holds_nothing_up(stage: Stage) -> None:
    for number in range(4):
        restarted(stage, f"watch {number}")
        stage.clock.advance(9)
    assert row(stage).session == 4
    assert not claims.unsettled(stage.cluster.pk)


@pytest.mark.parametrize("strike", [killing.kill, killing.no_answer, killing.lost])
@pytest.mark.parametrize("at", range(3))
def test_its_own_claim_is_found_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, strike: Callable[..., Any], at: int
) -> None:
    """Struck at each act: the intent's commit, the call, the commit of the end."""
    acts = Acts(strike, commits=strike is killing.kill).install(monkeypatch, job, claims, "nonce_for", "held")
    watching.take(stage.cluster.pk, "me")
    acts.arm(at)
    try:
        claim(stage.cluster.pk)
    except Killed:
        assert row(stage).state == ClaimState.OPEN
    acts.at = None
    claim(stage.cluster.pk)
    assert (row(stage).state, down(stage), len(on(stage))) == (ClaimState.HELD, False, 1)


def test_a_marker_made_through_a_node_that_fell_silent_is_read_back_by_the_others(stage: Stage) -> None:
    watching.take(stage.cluster.pk, "me")
    before = claims.wanted(stage.cluster.pk)
    nonce = claims.nonce_for(before, stage.node("n1").pk)
    connect("lab", "lab:n1").claim_marker("csv1", claims.session(before).name, nonce)
    stage.faults.power_off("n1")
    stage.clock.advance(20)
    claim(stage.cluster.pk)
    assert (row(stage).state, down(stage), len(on(stage, "n2"))) == (ClaimState.HELD, False, 1)


def test_two_workers_that_make_the_same_claim_do_not_take_each_other_for_a_copy(stage: Stage) -> None:
    watching.take(stage.cluster.pk, "me")
    slow = claims.wanted(stage.cluster.pk)
    stage.clock.advance(20)
    stage.faults.power_off("n1")
    claim(stage.cluster.pk)
    with contextlib.ExitStack() as stack:
        hosts = [
            (node, stack.enter_context(contextlib.closing(connect_to(node))))
            for node in (stage.node("n3"), stage.node("n2"))
        ]
        assert job._held(slow, "csv1", hosts, [])


def test_one_worker_at_a_time_makes_it(stage: Stage) -> None:
    watching.take(stage.cluster.pk, "me")
    slow = claims.wanted(stage.cluster.pk)
    assert claims.wanted(stage.cluster.pk) is None
    claims.leave(slow)
    assert claims.wanted(stage.cluster.pk) is not None


def test_while_one_node_answers_nothing_is_made(stage: Stage) -> None:
    watching.take(stage.cluster.pk, "me")
    for node in ("n2", "n3"):
        stage.faults.power_off(node)
    stage.clock.advance(30)
    claim(stage.cluster.pk)
    assert row(stage).state == ClaimState.IMPOSSIBLE
    assert row(stage).reason == "n3: n3 does not answer: its power is off."
    assert on(stage) == {}


@pytest.mark.parametrize("at", range(3))
def test_a_new_watch_goes_on_after_a_claim_that_was_cut_off(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    acts = Acts(killing.kill, commits=True).install(monkeypatch, job, claims, "nonce_for", "held")
    watching.take(stage.cluster.pk, "me")
    acts.arm(at)
    with pytest.raises(Killed):
        claim(stage.cluster.pk)
    acts.at = None
    swept(stage, restarted(stage, "next"), 20)
    assert (row(stage).state, row(stage).session, down(stage)) == (ClaimState.HELD, 2, False)
    assert list(on(stage)) == [claims.session(row(stage)).name]


def test_three_restarts_of_the_watch_leave_one_marker(stage: Stage) -> None:
    for number in range(4):
        swept(stage, restarted(stage, f"watch {number}"), 20)
    assert row(stage).session == 4
    assert list(on(stage)) == [claims.session(row(stage)).name]
    assert not down(stage)


def test_an_unmounted_path_does_not_count(stage: Stage) -> None:
    stage.faults.unmount("n1", "csv1")
    watching.take(stage.cluster.pk, "me")
    claim(stage.cluster.pk)
    assert row(stage).state == ClaimState.HELD
    assert on(stage, "n2") == on(stage, "n3") != on(stage, "n1")


def test_a_node_alone_with_its_volume_proves_nothing_however_often_it_is_asked(stage: Stage) -> None:
    for node in ("n1", "n2"):
        stage.faults.unmount(node, "csv1")
    watching.take(stage.cluster.pk, "me")
    for _ in range(3):
        claim(stage.cluster.pk)
        stage.clock.advance(20)
    assert row(stage).state == ClaimState.IMPOSSIBLE
    assert "no other node sees. Look whether it is mounted on each." in row(stage).reason
    assert not down(stage)


def test_a_cluster_without_a_volume_for_it_says_so_until_it_has_one(stage: Stage) -> None:
    VolumeAccess.objects.exclude(node__name="n1").update(active=False)
    watching.take(stage.cluster.pk, "me")
    claim(stage.cluster.pk)
    assert not claims.unsettled(stage.cluster.pk)
    assert "A second copy of this manager would not be noticed" in warned(stage)
    assert row(stage).reason == "There is no shared volume with files that two nodes reach."
    swept(stage, restarted(stage, "next"), 5)
    assert row(stage).state == ClaimState.HELD
    assert "A second copy of this manager would not be noticed" not in warned(stage)


def test_anothers_markers_are_left_alone_and_are_no_alarm(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    own = standing.installation().manager_id
    theirs = {"clustermgr-stranger-1-9-9": 1, f"clustermgr-{own}-{stage.cluster.pk + 1}-9-9": 2}
    for name, nonce in theirs.items():
        connect("lab", "lab:n2").claim_marker("csv1", name, nonce)
    with caplog.at_level("INFO", "clustermgr.actions.markers"):
        swept(stage, Watch(stage))
    assert not down(stage)
    assert theirs.items() <= on(stage).items()
    assert caplog.text.count("csv1 also has a marker of another manager (stranger)") == 1


def test_while_it_stands_down_nothing_is_claimed(stage: Stage) -> None:
    standing.stand_down(actor=stage.actor, cluster=stage.cluster, reason="Work on the storage.")
    watch = Watch(stage, claimed=False)
    swept(stage, watch, 60)
    assert on(stage) == {}
    standing.resume(actor=stage.actor, cluster=stage.cluster)
    assert claims.unsettled(stage.cluster.pk)
    swept(stage, watch, 7)
    assert row(stage).state == ClaimState.HELD


def test_a_marker_that_somebody_deleted_is_made_anew(stage: Stage) -> None:
    watch = Watch(stage)
    swept(stage, watch, 20)
    connect("lab", "lab:n2").delete_file(f"/clusterstorage/csv1/{next(iter(on(stage)))}")
    swept(stage, watch, 200)
    assert (row(stage).state, row(stage).session) == (ClaimState.HELD, 2)
    assert list(on(stage)) == [claims.session(row(stage)).name]


def test_a_higher_epoch_of_the_installation_is_claimed_too(stage: Stage) -> None:
    """It was raised by the take-over of another cluster."""
    watch = Watch(stage)
    swept(stage, watch, 20)
    standing.Installation.objects.update(epoch=2)
    swept(stage, watch, 60)
    assert (row(stage).state, row(stage).epoch, row(stage).session) == (ClaimState.HELD, 2, 1)
    assert list(on(stage)) == [claims.session(row(stage)).name]
