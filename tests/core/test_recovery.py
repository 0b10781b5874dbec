"""Restart, fail over, or leave failed."""

from __future__ import annotations

import pytest

from clustermgr.core.recovery import History, Remedy, plan

HOUR = 3600.0

TABLE = [
    (History(0, None, 0, None), True, Remedy.RESTART),
    (History(1, 60, 0, None), True, Remedy.FAIL_OVER),
    (History(1, 16 * 60, 0, None), True, Remedy.RESTART),
    (History(0, None, 0, None), False, Remedy.FAIL_OVER),
    (History(1, 60, 1, HOUR), True, Remedy.FAIL_OVER),
    (History(1, 60, 2, HOUR), True, Remedy.LEAVE),
    (History(1, 60, 2, 7 * HOUR), True, Remedy.FAIL_OVER),
]


@pytest.mark.parametrize(("history", "here", "remedy"), TABLE)
def test_one_restart_in_a_quarter_of_an_hour_then_one_failover_less_than_nodes(
    history: History, here: bool, remedy: Remedy
) -> None:
    chosen = plan(history, nodes=3, can_restart_here=here)
    assert chosen.remedy == remedy
    assert chosen.reason
