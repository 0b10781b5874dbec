"""Heartbeats: what counts as missed, and when a node is declared lost."""

from __future__ import annotations

import pytest

from clustermgr.core.health import GAP, MISSES, Beat, Pulse, Word, beat, node_state
from clustermgr.core.states import NodeState

HEARD = Beat(heard=True)
FAILED = Beat(failed=True)
REFUSED = Beat(failed=True, refused=True)


def after(*beats: Beat, start: float = 100.0, every: float = 1.0) -> Pulse:
    pulse = Pulse()
    for number, seen in enumerate(beats):
        pulse = beat(pulse, start + number * every, seen)
    return pulse


@pytest.mark.parametrize(
    ("beats", "word", "missed"),
    [
        ([], Word.UNHEARD, 0),
        ([HEARD], Word.ANSWERS, 0),
        ([HEARD] + [FAILED] * (MISSES - 1), Word.ANSWERS, MISSES - 1),
        ([HEARD] + [FAILED] * MISSES, Word.SILENT, MISSES),
        ([HEARD] + [REFUSED] * MISSES, Word.REFUSES, MISSES),
        ([HEARD] + [FAILED] * (MISSES - 1) + [REFUSED], Word.REFUSES, MISSES),
        ([HEARD] + [REFUSED] * MISSES + [FAILED], Word.SILENT, MISSES + 1),
        ([HEARD] + [FAILED] * MISSES + [HEARD], Word.ANSWERS, 0),
        ([HEARD] + [FAILED] * 9 + [HEARD] + [FAILED] * 9, Word.ANSWERS, 9),
        # the first interval of a new watcher is no evidence, the ten after it are
        ([FAILED] * MISSES, Word.UNHEARD, MISSES - 1),
        ([FAILED] * (MISSES + 1), Word.SILENT, MISSES),
        # nothing was asked: nothing was missed
        ([HEARD] + [Beat()] * 30, Word.ANSWERS, 0),
    ],
)
def test_ten_misses_in_a_row_are_a_loss(beats: list[Beat], word: Word, missed: int) -> None:
    pulse = after(*beats)
    assert (pulse.word, pulse.missed) == (word, missed)


def test_a_probe_under_way_counts_only_once_it_is_older_than_an_interval() -> None:
    pulse = after(HEARD)
    assert beat(pulse, 101.0, Beat(asked=100.5)).missed == 0
    assert beat(pulse, 101.0, Beat(asked=100.0)).missed == 1


def test_a_late_watcher_counts_no_miss() -> None:
    assert after(HEARD, *[FAILED] * 20, every=2.5).missed == 0


def test_after_a_gap_in_observation_counting_starts_afresh() -> None:
    pulse = after(HEARD, *[FAILED] * 9)
    pulse = beat(pulse, 109.0 + GAP + 1, FAILED)
    assert (pulse.word, pulse.missed) == (Word.ANSWERS, 0)


@pytest.mark.parametrize(
    ("state", "word", "becomes"),
    [
        (NodeState.UP, Word.ANSWERS, None),
        (NodeState.UP, Word.UNHEARD, None),
        (NodeState.UP, Word.SILENT, NodeState.DOWN),
        (NodeState.UP, Word.REFUSES, NodeState.AGENT_DOWN),
        (NodeState.JOINING, Word.SILENT, NodeState.DOWN),
        (NodeState.JOINING, Word.ANSWERS, None),
        (NodeState.DOWN, Word.SILENT, None),
        (NodeState.DOWN, Word.REFUSES, NodeState.AGENT_DOWN),
        (NodeState.DOWN, Word.ANSWERS, NodeState.JOINING),
        (NodeState.AGENT_DOWN, Word.ANSWERS, NodeState.JOINING),
        (NodeState.AGENT_DOWN, Word.SILENT, NodeState.DOWN),
        (NodeState.DOWN, Word.UNHEARD, None),
    ],
)
def test_states_follow_the_pulse(state: NodeState, word: Word, becomes: NodeState | None) -> None:
    assert node_state(state, word) == becomes
