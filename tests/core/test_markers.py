"""What a marker that was read means: ours, old, another's, or that of a copy of this installation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clustermgr.core.markers import (
    ClaimState,
    Session,
    Word,
    newest_copy,
    next_session,
    older,
    parse,
    read,
    read_back,
    waits,
)

ME = Session("me", 1, epoch=2, session=5, nonces={"10": 7, "11": 8})
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "nonce", "word"),
    [
        ("clustermgr-me-1-2-5", 7, Word.OURS),
        ("clustermgr-me-1-2-5", 8, Word.OURS),  # made through another node
        ("clustermgr-me-1-2-5", 9, Word.COPY),  # the same session, by another hand
        ("clustermgr-me-1-2-5", -1, Word.UNCLEAR),
        ("clustermgr-me-1-2-6", 7, Word.COPY),
        ("clustermgr-me-1-2-6", -1, Word.COPY),
        ("clustermgr-me-1-3-1", 7, Word.COPY),  # a copy that took over
        ("clustermgr-me-1-2-4", 7, Word.OLDER),
        ("clustermgr-me-1-1-99", 7, Word.OLDER),
        ("clustermgr-me-2-2-9", 7, Word.SIBLING),
        ("clustermgr-other-1-9-9", 7, Word.FOREIGN),
        ("clustermgr-me-1-1-2-5", 7, Word.FOREIGN),  # a manager called “me-1”
    ],
)
def test_what_a_marker_says(name: str, nonce: int, word: Word) -> None:
    found = parse(name, nonce)
    assert found is not None
    assert read(ME, found) == word


@pytest.mark.parametrize("name", ["clustermgr-me-1-2", "web01.qcow2", "clustermgr-me-1-2-x", "x" + ME.name])
def test_what_is_no_marker(name: str) -> None:
    assert parse(name, 7) is None


def test_a_sessions_name_is_read_as_its_own() -> None:
    found = parse(ME.name, 7)
    assert found is not None
    assert read(ME, found) == Word.OURS


def test_the_newest_copy_is_named_and_old_ones_are_listed() -> None:
    listed = {
        "clustermgr-me-1-2-7": 1,
        "clustermgr-me-1-3-1": 1,
        "clustermgr-me-1-2-4": 1,
        "clustermgr-me-2-1-1": 1,
        "clustermgr-other-1-1-1": 1,
        "web01.qcow2": 1,
    }
    copy = newest_copy(ME, listed)
    assert copy is not None
    assert copy.age == (3, 1)
    assert older(ME, listed) == ["clustermgr-me-1-2-4"]
    assert newest_copy(ME, {ME.name: 8}) is None


@pytest.mark.parametrize(
    ("node", "listed", "proof"),
    [
        ("11", {ME.name: 7}, True),
        ("10", {ME.name: 7}, False),  # made through this very node: its path may be its own
        ("10", {ME.name: 8}, True),
        ("12", {ME.name: 9}, False),
        ("12", {}, False),
    ],
)
def test_a_marker_counts_when_another_node_than_its_maker_sees_it(
    node: str, listed: dict[str, int], proof: bool
) -> None:
    assert read_back(ME, node, listed) is proof


@pytest.mark.parametrize(
    ("before", "epoch", "number"), [(None, 1, 1), ((1, 4), 1, 5), ((1, 4), 2, 1), ((3, 1), 3, 2)]
)
def test_sessions_are_counted_anew_in_each_epoch(
    before: tuple[int, int] | None, epoch: int, number: int
) -> None:
    assert next_session(before, epoch) == number


@pytest.mark.parametrize(
    ("state", "seconds", "wait"),
    [
        (ClaimState.OPEN, 0, True),
        (ClaimState.OPEN, 29, True),
        (ClaimState.OPEN, 30, False),
        (ClaimState.HELD, 0, False),
        (ClaimState.IMPOSSIBLE, 0, False),
    ],
)
def test_acts_wait_for_an_open_claim_and_not_for_ever(state: ClaimState, seconds: int, wait: bool) -> None:
    assert waits(state, NOW - timedelta(seconds=seconds), NOW) is wait
