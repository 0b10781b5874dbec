"""Health: what is asked, what is said, and that nothing which hangs keeps anybody waiting."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

from clustermgr.live.hub import Hub
from clustermgr.live.mailbox import Mailbox
from clustermgr.monitor import checks
from clustermgr.monitor.checks import OK, Check, in_a_thread
from clustermgr.monitor.health import Health
from tests.fakes import VirtualClock


async def asked(path: str, health: Health, method: str = "GET") -> tuple[int, dict[str, Any]]:
    scope = {"type": "http", "method": method, "path": path, "headers": []}
    socket = ApplicationCommunicator(health, scope)
    await socket.send_input({"type": "http.request"})
    start, body = await socket.receive_output(5), await socket.receive_output(5)
    return start["status"], json.loads(body["body"])


def says(answer: str) -> Check:
    def start() -> Future[str]:
        future: Future[str] = Future()
        future.set_result(answer)
        return future

    return Check(start, "silent")


@pytest.fixture
def hanging() -> Iterator[Callable[[], str]]:
    """A question without an answer, until the test is over."""
    over = threading.Event()
    yield lambda: str(over.wait(30))
    over.set()


async def never(scope: Any, receive: Any, send: Any) -> None:
    pytest.fail("Django was asked")


async def test_a_process_that_answers_is_alive_whatever_else_is_gone() -> None:
    health = Health(never, {"database": says("gone")})
    assert await asked("/health/live", health) == (200, {"live": True})


async def test_ready_is_said_with_what_was_asked() -> None:
    health = Health(never, {"database": says(OK), "redis": says(OK)})
    answer = {"ready": True, "checks": {"database": "ok", "redis": "ok"}}
    assert await asked("/health/ready", health) == (200, answer)


async def test_one_reason_is_enough_not_to_be_ready() -> None:
    health = Health(never, {"database": says(OK), "redis": says("Redis does not answer.")})
    status, body = await asked("/health/ready", health)
    assert (status, body["ready"]) == (503, False)
    assert body["checks"] == {"database": "ok", "redis": "Redis does not answer."}


async def test_what_hangs_is_told_in_time(
    hanging: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "DEADLINE_S", 0.05)
    health = Health(never, {"database": Check(in_a_thread(hanging), "It is silent."), "redis": says(OK)})
    status, body = await asked("/health/ready", health)
    assert (status, body["checks"]) == (503, {"database": "It is silent.", "redis": "ok"})
    assert checks.DEADLINE_S < 2


async def test_a_question_without_an_answer_is_not_asked_again(
    hanging: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "DEADLINE_S", 0.01)
    questions: list[int] = []

    def question() -> str:
        questions.append(1)
        return hanging()

    health = Health(never, {"database": Check(in_a_thread(question), "silent")})
    for _ in range(5):
        await asked("/health/ready", health)
    assert len(questions) == 1


def test_an_answer_is_told_again_for_a_second(clock: VirtualClock) -> None:
    questions: list[int] = []

    def start() -> Future[str]:
        questions.append(1)
        return says(OK).ask()

    check = Check(start, "silent")
    check.ask()
    check.ask()
    clock.advance(1.1)
    check.ask()
    assert len(questions) == 2


def test_a_question_that_hangs_for_long_is_asked_anew(clock: VirtualClock) -> None:
    check = Check(Future, "silent")
    hanging = check.ask()
    clock.advance(29)
    assert check.ask() is hanging
    clock.advance(2)
    assert check.ask() is not hanging


async def test_only_reading_is_answered() -> None:
    assert (await asked("/health/ready", Health(never, {"a": says(OK)}), "POST"))[0] == 405


async def test_other_addresses_are_passed_on() -> None:
    passed: list[str] = []

    async def pages(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    await asked("/health/other", Health(pages, {"a": says(OK)}))
    assert passed == ["/health/other"]


def test_the_database_and_its_tables(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)
    assert checks._database() == OK
    MigrationRecorder(connection).record_unapplied("clustermgr", "0001_initial")
    assert checks._database() == checks.OLD_TABLES


def test_a_database_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(self: object) -> Any:
        raise OperationalError("connection to 10.1.2.3 as clustermgr failed")

    monkeypatch.setattr(MigrationRecorder, "applied_migrations", gone)
    monkeypatch.setattr(connection, "close", lambda: None)
    assert checks._database() == "The database does not answer."


def test_redis_that_is_not_there() -> None:
    assert checks._redis() == "Redis does not answer."


async def test_a_hub_is_alive_while_its_tasks_run_or_nobody_listens() -> None:
    hub = Hub()
    assert hub.alive
    hub.join(1, 1, Mailbox(), "en")
    assert not hub.alive
    hub.start()
    assert hub.alive
    hub.stop()
