"""Clock, Runner and ids: the only places where time passes, work is sent and chance enters.

In production they are the real clock and Celery; the scenario player and the tests install their own
(a virtual clock and a heap). An architecture test bans now(), sleep and random ids elsewhere.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time of day, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; for deadlines."""
        ...

    def sleep(self, seconds: float) -> None: ...


class Runner(Protocol):
    def enqueue(
        self, task: str, *args: object, queue: str = "operations", expires: float | None = None
    ) -> None:
        """Wake a job; not any more when it waited for `expires` seconds. A lost message is harmless: the
        reaper re-sends from the rows."""
        ...

    def listening(self) -> set[str]:
        """The queues that living workers take from; may wait a second. Empty when nobody answers."""
        ...


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class CeleryRunner:
    def enqueue(
        self, task: str, *args: object, queue: str = "operations", expires: float | None = None
    ) -> None:
        from clustermgr.celery import app

        app.send_task(task, args=args, queue=queue, expires=expires, ignore_result=True)

    def listening(self) -> set[str]:
        from clustermgr.celery import app

        answers = app.control.inspect(timeout=0.8).active_queues() or {}
        return {str(queue["name"]) for queues in answers.values() for queue in queues}


class _Ports:
    def __init__(self) -> None:
        self.clock: Clock = RealClock()
        self.runner: Runner = CeleryRunner()


_ports = _Ports()


def clock() -> Clock:
    return _ports.clock


def runner() -> Runner:
    return _ports.runner


def install(*, clock: Clock | None = None, runner: Runner | None = None) -> None:
    """Replace a port: for the scenario player and the tests."""
    if clock is not None:
        _ports.clock = clock
    if runner is not None:
        _ports.runner = runner


def new_id() -> str:
    return uuid.uuid4().hex
