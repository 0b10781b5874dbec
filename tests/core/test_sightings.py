"""What looks at hosts make of a VM: every pair of what was known and what is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clustermgr.core.picture import Picture
from clustermgr.core.readings import Look, Seen
from clustermgr.core.sightings import Judgement, NodeFacts, RoleFacts, judge
from clustermgr.core.states import NodeState, VmState, Wanted

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
A, B = 1, 2
NODES = {A: NodeFacts(A, "hv-01", NodeState.UP), B: NodeFacts(B, "hv-02", NodeState.UP)}
VM = RoleFacts(7, "u", "web01", A, VmState.RUNNING, "", Wanted.RUNNING, START, started_at=START)
RUNNING = Seen("u", "web01", VmState.RUNNING, process=True)
PAUSED = replace(RUNNING, state=VmState.PAUSED)
CRASHED = Seen("u", "web01", VmState.FAILED, process=False, reason="crashed")
TURNED_OFF = Seen("u", "web01", VmState.OFF, process=False, reason="turned off", on_purpose=True)
GONE_DARK = Seen("u", "web01", VmState.OFF, process=False, reason="its host lost power")
MOVED = Seen("u", "web01", VmState.OFF, process=False, on_purpose=True, moved_away=True)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def picture(*looks: tuple[int, float, Seen | None]) -> Picture:
    found = Picture()
    for node, seconds, seen in looks:
        found.add(Look(node, at(seconds), {seen.uuid: seen} if seen else {}))
    return found


def judged(vm: RoleFacts, seen: Seen | None) -> Judgement | None:
    """One look at the owner, and the other node seen without the VM before and after."""
    found = picture((B, 1, None), (A, 2, seen))
    first = judge(vm, found, NODES)
    found.add(Look(B, at(3), {}))
    return first or judge(vm, found, NODES)


OFF = replace(VM, state=VmState.OFF, wanted=Wanted.OFF)
FAILED = replace(VM, state=VmState.FAILED)
UNMONITORED = replace(VM, state=VmState.UNMONITORED)


@pytest.mark.parametrize(
    ("vm", "seen", "state", "wanted", "codes", "decide"),
    [
        (VM, PAUSED, "paused", "running", ["vm_paused_outside"], False),
        (VM, CRASHED, "failed", "running", ["vm_failed"], True),
        (VM, GONE_DARK, "failed", "running", ["vm_failed"], True),
        (VM, None, "failed", "running", ["vm_failed"], True),
        (VM, TURNED_OFF, "off", "off", ["vm_stopped_outside"], False),
        (replace(VM, wanted=Wanted.OFF), TURNED_OFF, "off", "off", [], False),
        (replace(VM, wanted=Wanted.IGNORED), TURNED_OFF, "off", "ignored", ["vm_stopped_outside"], False),
        (OFF, RUNNING, "running", "running", ["vm_started_outside"], False),
        (OFF, None, "unknown", "off", ["vm_missing"], False),
        (replace(OFF, saved_state=True), TURNED_OFF, "saved", "off", [], False),
        (FAILED, RUNNING, "running", "running", ["vm_monitored"], False),
        (UNMONITORED, RUNNING, "running", "running", ["vm_monitored"], False),
        (UNMONITORED, GONE_DARK, "failed", "running", ["vm_failed"], True),
        (UNMONITORED, TURNED_OFF, "off", "off", ["vm_stopped_outside"], False),
        (replace(UNMONITORED, wanted=Wanted.OFF), TURNED_OFF, "off", "off", [], False),
    ],
)
def test_what_is_seen_becomes_the_state(
    vm: RoleFacts, seen: Seen | None, state: str, wanted: str, codes: list[str], decide: bool
) -> None:
    found = judged(vm, seen)
    assert found is not None
    assert (found.state, found.wanted, found.decide) == (state, wanted, decide)
    assert [happening.code for happening in found.happenings] == codes


@pytest.mark.parametrize(
    ("vm", "seen"),
    [
        (VM, RUNNING),
        (OFF, TURNED_OFF),
        (OFF, CRASHED),  # an old end, from before the order that stopped it
        (OFF, GONE_DARK),
        (FAILED, CRASHED),
        (FAILED, TURNED_OFF),
        (FAILED, None),
        (replace(VM, busy=True), CRASHED),
        (replace(VM, changed_at=at(60)), CRASHED),
        (VM, replace(RUNNING, incoming=True)),
    ],
)
def test_no_news_is_not_written(vm: RoleFacts, seen: Seen | None) -> None:
    assert judged(vm, seen) is None


@pytest.mark.parametrize("state", [NodeState.DOWN, NodeState.AGENT_DOWN])
def test_on_a_silent_node_it_is_unmonitored_and_never_off(state: NodeState) -> None:
    nodes = {**NODES, A: replace(NODES[A], state=state)}
    found = judge(VM, picture((B, 1, None)), nodes)
    assert found is not None
    assert (found.state, found.reason) == (VmState.UNMONITORED, "Last known: running on hv-01.")
    assert judge(replace(VM, state=VmState.UNMONITORED), picture(), nodes) is None


TOLD = replace(RUNNING, started_at=at(-900))


@pytest.mark.parametrize(
    ("vm", "seen", "started", "nobody_knows"),
    [
        (replace(VM, started_at=None), RUNNING, 2, True),
        (OFF, RUNNING, 2, True),  # by whom and when it was started on its host nobody saw
        (UNMONITORED, RUNNING, 2, True),  # it may have been started anew in the silence
        (VM, TOLD, -900, False),
        (replace(VM, started_seen=True), PAUSED, 0, True),
    ],
)
def test_since_when_it_runs_is_told_as_far_as_it_is_known(
    vm: RoleFacts, seen: Seen, started: int, nobody_knows: bool
) -> None:
    found = judged(vm, seen)
    assert found is not None
    assert (found.started_at, found.started_seen) == (at(started), nobody_knows)


def test_a_vm_that_ran_is_not_called_lost_before_every_node_was_looked_at() -> None:
    found = picture((B, 1, None), (A, 2, None))
    assert judge(VM, found, NODES) is None
    found.add(Look(A, at(7), {}))
    found.add(Look(B, at(6), {}))
    assert judge(VM, found, NODES) is not None


C = 3
WITH_C = {**NODES, C: NodeFacts(C, "hv-03", NodeState.UP)}
C_IS_DOWN = {**NODES, C: NodeFacts(C, "hv-03", NodeState.DOWN)}
HV3_MAY = "hv-03 may have it and does not answer."


@pytest.mark.parametrize("left", [None, MOVED])
@pytest.mark.parametrize("vm", [VM, FAILED, UNMONITORED])
def test_what_left_its_owner_may_run_on_a_silent_node(vm: RoleFacts, left: Seen | None) -> None:
    found: Any = judge(vm, picture((A, 1, left), (B, 2, None)), C_IS_DOWN)
    assert (found.state, found.wanted, found.decide) == (VmState.UNKNOWN, Wanted.RUNNING, False)
    assert found.reason.endswith(HV3_MAY)
    assert [each.code for each in found.happenings] == ["vm_out_of_sight"]
    again = replace(vm, state=found.state, reason=found.reason)
    assert judge(again, picture((A, 3, left), (B, 4, None)), C_IS_DOWN) is None


def test_it_is_lost_once_the_silent_node_was_seen_without_it() -> None:
    unknown = replace(VM, state=VmState.UNKNOWN, reason=f"hv-01 no longer knows it. {HV3_MAY}")
    found: Any = judge(unknown, picture((A, 1, None), (B, 2, None), (C, 2, None)), WITH_C)
    assert (found.state, found.decide) == (VmState.FAILED, True)


@pytest.mark.parametrize("ended", [CRASHED, GONE_DARK])
def test_what_its_owner_shows_to_have_ended_waits_for_no_silent_node(ended: Seen) -> None:
    found: Any = judge(VM, picture((A, 1, ended), (B, 2, None)), C_IS_DOWN)
    assert (found.state, found.decide) == (VmState.FAILED, True)


@pytest.mark.parametrize("left", [None, MOVED, GONE_DARK])
def test_nothing_is_said_before_a_node_that_answers_was_looked_at(left: Seen | None) -> None:
    assert judge(VM, picture((A, 1, left), (B, 2, None)), WITH_C) is None


def test_a_node_that_answers_and_shows_nothing_is_not_waited_for_for_ever() -> None:
    found = picture((A, 1, None))
    assert judge(VM, found, NODES) is None
    found.add(Look(A, at(32), {}))
    lost: Any = judge(VM, found, NODES)
    assert (lost.state, lost.decide) == (VmState.UNKNOWN, False)


def test_one_that_is_off_since_an_old_move_stays_off() -> None:
    assert judge(replace(OFF, wanted=Wanted.OFF), picture((A, 1, MOVED), (B, 2, None)), C_IS_DOWN) is None


def test_an_unfinished_copy_elsewhere_is_waited_for() -> None:
    arriving = replace(PAUSED, incoming=True)
    assert judge(VM, picture((A, 1, None), (B, 2, arriving)), NODES) is None


def test_what_was_missed_before_a_silence_says_nothing_after_it() -> None:
    found = picture((A, 1, None))
    assert judge(VM, found, NODES) is None
    found.forget(A)
    found.add(Look(B, at(5), {}))
    found.add(Look(A, at(8), {}))  # it may have run here in the silence, and moved to B since
    assert judge(VM, found, NODES) is None


@pytest.mark.parametrize("left", [None, MOVED])
def test_moved_by_hand_the_owner_follows(left: Seen | None) -> None:
    found = picture((A, 1, RUNNING), (B, 2, RUNNING), (A, 3, left))
    moved: Any = judge(VM, found, NODES)
    assert (moved.owner, moved.state, moved.happenings[0].code) == (B, "running", "vm_moved_outside")


def test_the_owner_does_not_follow_on_an_older_look() -> None:
    assert judge(VM, picture((A, 1, None), (B, 2, RUNNING)), NODES) is None


def test_the_two_ends_of_a_move_are_not_two_copies() -> None:
    found = picture((A, 1, RUNNING), (B, 2, RUNNING))
    assert judge(VM, found, NODES) is None


def test_seen_running_twice_is_critical_once_and_nothing_follows() -> None:
    found = picture((A, 1, RUNNING), (B, 2, RUNNING), (A, 6, RUNNING), (B, 7, RUNNING))
    twice: Any = judge(VM, found, NODES)
    assert (twice.owner, twice.state, twice.decide) == (A, "running", False)
    assert [(each.code, each.level) for each in twice.happenings] == [("vm_running_twice", "critical")]
    assert judge(replace(VM, reason=twice.reason), found, NODES) is None
    found.add(Look(B, at(12), {}))
    over: Any = judge(replace(VM, reason=twice.reason), found, NODES)
    assert (over.reason, over.happenings) == ("", ())


def test_gone_from_its_owner_and_running_on_two_others_is_twice_and_not_failed() -> None:
    found = picture((A, 1, None), (B, 2, RUNNING), (C, 3, RUNNING), (A, 6, None))
    assert judge(VM, found, WITH_C) is None  # B's end of a move to C may be seen so
    found.add(Look(B, at(7), {"u": RUNNING}))
    twice: Any = judge(VM, found, WITH_C)
    assert (twice.owner, twice.state, twice.decide) == (A, VmState.UNKNOWN, False)
    assert [(each.code, each.params["nodes"]) for each in twice.happenings] == [
        ("vm_running_twice", "hv-02 and hv-03")
    ]
    assert judge(replace(VM, state=twice.state, reason=twice.reason), found, WITH_C) is None


def test_a_saved_state_is_spent_once_a_copy_ran() -> None:
    found = judged(replace(OFF, state=VmState.SAVED, saved_state=True), RUNNING)
    assert found is not None
    assert found.spent
