"""Each process killed with -9 in the middle of a migration: the VM runs once, and the outcome is true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.orders import Move, hosts
from tests.stack import Stack

pytestmark = [pytest.mark.redis, pytest.mark.slow]

MOVES = {
    "worker": ("web01", "hv-02"),
    "web": ("web03", "hv-02"),
    "watch": ("dc02", "hv-01"),
    "beat": ("mon01", "hv-03"),
    "redis": ("web02", "hv-01"),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("kills")) as stack:
        yield stack


@pytest.mark.parametrize("victim", list(MOVES))
def test_a_migration_survives_the_death_of(victim: str, stack: Stack) -> None:
    vm, target = MOVES[victim]
    move = Move.order(stack, vm, target)
    stack.wait(lambda: move.percent >= 5, 30, "the migration to be under way")
    assert not move.settled
    stack.kill9(victim)
    stack.back(victim)
    stack.wait(lambda: move.settled, 60, f"the operation to settle: {move.row}")
    assert_true(move)


def assert_true(move: Move) -> None:
    """What the rows say is what the hosts have."""
    assert hosts(move.stack).double_runs() == []
    assert move.row["outcome"]
    assert move.running_on == [move.subject["node"]]
    assert (move.row["state"] == "succeeded") is (move.running_on == [move.target])
