"""What a web process needs, each asked away from the event loop: one question at a time, and a deadline.

A database that hangs costs one waiting thread, however often somebody asks. Answers hold nothing secret.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache, partial

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from clustermgr.live import hub as hubs
from clustermgr.live.thread import when_free
from clustermgr.ports import clock

OK = "ok"
#: An answer is told again for so long; and the whole of the waiting for all checks together.
HELD_S, DEADLINE_S = 1.0, 1.5
#: A question that hangs for longer is given up: its connection may be cut, and another would be answered.
GIVEN_UP_S = 30.0
log = logging.getLogger(__name__)
Start = Callable[[], "Future[str]"]


class Check:
    """`start` begins to ask and answers at once with what will hold OK or a sentence; `silent`: the sentence
    when nothing comes in time. Used by one event loop, so that it needs no lock."""

    def __init__(self, start: Start, silent: str) -> None:
        self.silent = silent
        self._start = start
        self._asked = float("-inf")
        self._answer: Future[str] | None = None

    def ask(self) -> Future[str]:
        """The question that is under way, or a new one when the last answer is old."""
        now = clock().monotonic()
        age = now - self._asked
        if self._answer is None or age >= (HELD_S if self._answer.done() else GIVEN_UP_S):
            self._answer, self._asked = self._start(), now
        return self._answer


async def answers(checks: dict[str, Check]) -> dict[str, str]:
    """All of them at once, within DEADLINE_S."""
    asked = {name: asyncio.wrap_future(check.ask()) for name, check in checks.items()}
    # Not wait_for: that would cancel a question which others wait for as well.
    await asyncio.wait(asked.values(), timeout=DEADLINE_S)
    return {
        name: future.result() if future.done() and not future.exception() else checks[name].silent
        for name, future in asked.items()
    }


def in_a_thread(question: Callable[[], str]) -> Start:
    def start() -> Future[str]:
        answer: Future[str] = Future()
        threading.Thread(target=_put, args=(question, answer), name="health", daemon=True).start()
        return answer

    return start


def _put(question: Callable[[], str], answer: Future[str]) -> None:
    try:
        answer.set_result(question())
    except Exception as error:
        log.warning("a check of this process failed: %s", error)
        answer.set_exception(error)


def _database() -> str:
    try:
        applied = MigrationRecorder(connection).applied_migrations()
    except DatabaseError:
        return NO_DATABASE
    finally:
        connection.close()
    return OLD_TABLES if _wanted() - applied.keys() else OK


@cache
def _wanted() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _redis() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1) as client:
            return OK if client.ping() else NO_REDIS
    except redis.RedisError:
        return NO_REDIS


def _live() -> Future[str]:
    """The hub's thread takes one more piece of work, and its tasks have not ended while somebody looks."""
    if hubs.hub().alive:
        return when_free(partial(str, OK))
    dead: Future[str] = Future()
    dead.set_result(NO_HUB)
    return dead


NO_DATABASE = "The database does not answer."
OLD_TABLES = "The tables are older than this program; run “manage.py prepare”."
NO_REDIS = "Redis does not answer."
NO_HUB = "Live news have stopped in this process."


def all_checks() -> dict[str, Check]:
    return {
        "database": Check(in_a_thread(_database), NO_DATABASE),
        "redis": Check(in_a_thread(_redis), NO_REDIS),
        "live": Check(_live, NO_HUB),
    }
