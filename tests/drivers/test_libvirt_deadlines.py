"""Calls that do not return: left behind in time, and never pulled from under."""

from __future__ import annotations

import threading

import pytest

from clustermgr.drivers.libvirt.deadlines import MOST_STUCK, Caller, Stuck


def test_a_call_that_does_not_return_is_left_behind_and_the_next_one_is_made() -> None:
    caller, returns = Caller(), threading.Event()
    with pytest.raises(Stuck):
        caller.call(returns.wait, 0.01)
    assert caller.call(lambda: "answer", 5) == "answer"
    returns.set()
    caller.close()


def test_after_many_stuck_calls_no_more_are_made() -> None:
    caller, returns = Caller(), threading.Event()
    for _ in range(MOST_STUCK):
        with pytest.raises(Stuck):
            caller.call(returns.wait, 0.001)
    assert caller.exhausted
    returns.set()


def test_what_a_stuck_call_uses_is_freed_only_after_it_returned() -> None:
    """libvirt frees a connection under a call that is still in it: the whole worker would die."""
    caller, returns, freed = Caller(), threading.Event(), threading.Event()
    with pytest.raises(Stuck):
        caller.call(returns.wait, 0.01)
    caller.close()
    threading.Thread(target=lambda: (caller.wait_for_stuck(), freed.set())).start()
    assert not freed.wait(0.1)
    returns.set()
    assert freed.wait(5)


def test_a_stuck_call_is_known_until_it_returns() -> None:
    caller, returns = Caller(), threading.Event()
    assert not caller.stuck
    with pytest.raises(Stuck):
        caller.call(returns.wait, 0.01)
    assert caller.stuck
    returns.set()
    caller.wait_for_stuck()
    assert not caller.stuck
