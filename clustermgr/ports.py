"""Clock, Runner and ids: the only places where time passes, work is sent and chance enters.

In production they are the real clock and Celery; the scenario player and the tests install their own
(a virtual clock and a heap). An architecture test bans now(), sleep and random ids elsewhere.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

#: A database's clock is followed once ours is this far from it; what is less may be the answer's way.
FOLLOWED_FROM_S = 0.25
#: How often it is asked, at most, and how long an answer may take to tell anything.
ASKED_EVERY_S, TOO_LATE_S = 60.0, 1.0
#: For how long nothing is sent to a Redis that just failed; the reaper sends what was missed.
PAUSE_S = 3.0


class Clock(Protocol):
    def now(self) -> datetime:
        """The time of day, aware, UTC; on several machines about the same, since it follows the database."""
        ...

    def database_now(self) -> datetime | Combinable:
        """The database's own time, to compare and to write within a statement: what leases expire by."""
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
    def __init__(self) -> None:
        self._behind = timedelta()
        self._asked = float("-inf")

    def now(self) -> datetime:
        return self._local() + self._behind

    def database_now(self) -> datetime | Combinable:
        from django.db.models.functions import Now

        return Now()

    def follow(self, connection: Any) -> None:
        """Ask a PostgreSQL server for its time, once in a while: rows of several machines are compared.

        An SQLite file's clock is this machine's.
        """
        if connection.vendor != "postgresql" or self.monotonic() - self._asked < ASKED_EVERY_S:
            return
        began, before = self.monotonic(), self._local()
        told: datetime = connection.connection.execute("SELECT clock_timestamp()").fetchone()[0]
        self._asked = self.monotonic()
        if self._asked - began > TOO_LATE_S:
            return
        behind = told - (before + timedelta(seconds=(self._asked - began) / 2))
        if abs((behind - self._behind).total_seconds()) >= FOLLOWED_FROM_S:
            self._behind = behind

    def _local(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class CeleryRunner:
    def __init__(self) -> None:
        self._silent_until = float("-inf")

    def enqueue(
        self, task: str, *args: object, queue: str = "operations", expires: float | None = None
    ) -> None:
        from kombu.exceptions import OperationalError

        from clustermgr.celery import app

        if clock().monotonic() < self._silent_until:
            raise OperationalError("Redis did not answer a moment ago; what was ordered stands in its row.")
        try:
            app.send_task(task, args=args, queue=queue, expires=expires, ignore_result=True)
        except Exception:
            # One caller waits for a Redis that says nothing, not each of them (PAUSE_S).
            self._silent_until = clock().monotonic() + PAUSE_S
            raise

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


def follow_database(*, connection: Any, **_: Any) -> None:
    """A connection was opened: let the clock look at the database's."""
    chosen = clock()
    if isinstance(chosen, RealClock):
        chosen.follow(connection)


def install(*, clock: Clock | None = None, runner: Runner | None = None) -> None:
    """Replace a port: for the scenario player and the tests."""
    if clock is not None:
        _ports.clock = clock
    if runner is not None:
        _ports.runner = runner


def new_id() -> str:
    return uuid.uuid4().hex
