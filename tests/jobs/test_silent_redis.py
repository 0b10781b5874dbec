"""A Redis that does not answer is waited for once, not by every order and every sample."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from kombu.exceptions import OperationalError

from clustermgr import notices
from clustermgr.celery import app
from clustermgr.ports import CeleryRunner
from tests.fakes import VirtualClock


class Silent:
    """Takes five seconds to fail, while it is silent."""

    def __init__(self, clock: VirtualClock, error: Exception) -> None:
        self.clock, self.error, self.asked, self.dead = clock, error, 0, True

    def __call__(self, *_: Any, **__: Any) -> None:
        self.asked += 1
        if self.dead:
            self.clock.advance(5)
            raise self.error


def test_ten_orders_wait_for_a_silent_redis_once(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, runner = Silent(clock, OperationalError("timed out")), CeleryRunner()
    monkeypatch.setattr(app, "send_task", silent)
    began = clock.monotonic()
    for _ in range(10):
        with pytest.raises(OperationalError):
            runner.enqueue("clustermgr.jobs.operations.drive", 1)
    assert (silent.asked, clock.monotonic() - began) == (1, 5)


def test_a_redis_that_is_back_is_used_again_by_itself(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, runner = Silent(clock, OperationalError("timed out")), CeleryRunner()
    monkeypatch.setattr(app, "send_task", silent)
    with pytest.raises(OperationalError):
        runner.enqueue("clustermgr.jobs.operations.drive", 1)
    silent.dead = False
    clock.advance(5)
    runner.enqueue("clustermgr.jobs.operations.drive", 1)
    assert silent.asked == 2


def test_samples_do_not_wait_for_a_silent_redis_each(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, wire = Silent(clock, redis.TimeoutError("timed out")), notices._Wire()
    monkeypatch.setattr(wire, "_send", silent)
    monkeypatch.setattr(notices, "_wire", wire)
    for percent in range(10):
        notices.publish([notices.Progress(1, 1, 1, {"percent": percent})])
    assert silent.asked == 1
