"""Workers that die, and calls whose answers are lost: at a moment of virtual time, or at a chosen act."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from clustermgr.actions import leases, operations
from clustermgr.drivers.contract import DoneHandle, DriverError, HandleState, HostUnreachable
from clustermgr.jobs import work as works
from clustermgr.jobs.operations import drive, one_step, reap
from clustermgr.jobs.work import Work
from clustermgr.models import Operation
from tests.jobs.conftest import Stage

#: Calls that change something on a host.
CHANGES = frozenset(
    {
        *("define", "undefine", "apply_settings", "stamp"),
        *("begin_start", "resume", "destroy", "begin_shutdown"),
        *("begin_migrate", "abort_job", "begin_save", "begin_restore", "delete_file", "claim_marker"),
    }
)


#: Those of them that take time and are begun: their answer comes later, through a handle.
BEGUN = frozenset({"begin_start", "begin_migrate", "begin_save", "begin_restore"})
#: What happens to an act: its name, and the call that makes it.
Strike = Callable[[str, Callable[[], Any]], Any]


class Killed(BaseException):
    """The worker's process is gone: nothing is given back, nothing is written."""


def taken(stage: Stage, operation: int) -> Work:
    """A worker has the operation and has not begun."""
    operations.admit_waiting(stage.cluster)
    assert leases.claim(operation, "worker-1")
    return Work(operation, "worker-1")


def carry(stage: Stage, operation: int, *, seconds: float) -> Work:
    """Carry an operation for `seconds`, then stop dead. Returns the work as it stood."""
    work = taken(stage, operation)
    end = stage.clock.monotonic() + seconds
    while (pause := one_step(work)) is not None and stage.clock.monotonic() < end:
        stage.clock.sleep(max(pause, 0.01))
    return work


def finish(stage: Stage, work: Work) -> None:
    """The same worker goes on to the end."""
    while (pause := one_step(work)) is not None:
        stage.clock.sleep(max(pause, 0.01))


def take_over(stage: Stage, *, seconds: float = 600.0) -> None:
    """The lease runs out, and other workers carry on for so long; then they stop, too."""
    stage.runner.enqueued.clear()
    end = stage.clock.monotonic() + seconds
    while stage.clock.monotonic() < end:
        stage.clock.advance(30.0)
        reap()
        with until(stage, end):
            stage.run()
        if not operations.Operation.objects.filter(state__in=operations.ACTIVE).exists():
            return


@contextmanager
def until(stage: Stage, end: float) -> Iterator[None]:
    """Workers that are still at it at that moment are killed: an order that waits must not wait for ever."""
    real = stage.clock.sleep

    def sleep(seconds: float) -> None:
        real(max(seconds, 0.01))
        if stage.clock.monotonic() >= end:
            raise Killed

    stage.clock.sleep = sleep  # type: ignore[method-assign]
    try:
        yield
    except Killed:
        stage.runner.enqueued.clear()
    finally:
        stage.clock.sleep = real  # type: ignore[method-assign]


class Acts:
    """Counts the acts of workers - calls that change a host, and commits - and strikes at one of them."""

    def __init__(self, strike: Strike, *, commits: bool) -> None:
        self.strike, self.commits = strike, commits
        self.at: int | None = None
        self.names: list[str] = []

    def arm(self, at: int) -> None:
        self.at, self.names = at, []

    @property
    def struck(self) -> bool:
        return self.at is not None and len(self.names) > self.at

    def act(self, name: str, call: Callable[[], Any]) -> Any:
        self.names.append(name)
        return self.strike(name, call) if self.at == len(self.names) - 1 else call()

    def install(self, patch: pytest.MonkeyPatch, job: Any = works, rows: Any = leases, *commits: str) -> Acts:
        """`job`: whose hosts; `rows`: the module of the commits, which are `commits`."""
        connect = job.connect_to
        patch.setattr(job, "connect_to", lambda *args, **named: _Host(connect(*args, **named), self))
        for name in (commits or ("step", "settle")) if self.commits else ():
            patch.setattr(rows, name, self._counted(name, getattr(rows, name)))
        return self

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **named: self.act(name, lambda: real(*args, **named))


class _Host:
    def __init__(self, host: Any, acts: Acts) -> None:
        self._host, self._acts = host, acts

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._host, name)
        if name not in CHANGES:
            return real
        return lambda *args, **named: self._acts.act(name, lambda: real(*args, **named))


def kill(name: str, call: Callable[[], Any]) -> Any:
    """The worker dies before this act (and so after the one before)."""
    raise Killed


def no_answer(name: str, call: Callable[[], Any]) -> Any:
    """The host does what it is told, and its answer is lost."""
    call()
    raise HostUnreachable("It did not answer within 5 seconds.")


def lost(name: str, call: Callable[[], Any]) -> Any:
    """The host never heard of it."""
    raise HostUnreachable("It did not answer within 5 seconds.")


def through_the_handle(strike: Strike) -> Strike:
    """The same, as drivers tell it of a call that was begun: nothing is raised, and its handle is lost."""

    def struck(name: str, call: Callable[[], Any]) -> Any:
        if name not in BEGUN:
            return strike(name, call)
        with suppress(HostUnreachable):
            strike(name, call)
        return DoneHandle(HandleState.LOST, "The process for the call ended without an answer.")

    return struck


class Late:
    """The host takes a call, its answer is lost, and `seconds` later it does what it was told, if it can."""

    def __init__(self, stage: Stage, seconds: float) -> None:
        self.clock, self.seconds = stage.clock, seconds
        self._advance = stage.clock.advance
        self.waiting: list[tuple[float, Callable[[], Any]]] = []
        stage.clock.advance = self.advance  # type: ignore[method-assign]

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.waiting.append((self.clock.monotonic() + self.seconds, call))
        raise HostUnreachable("It did not answer within 5 seconds.")

    def advance(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while self.waiting and self.waiting[0][0] <= end:
            due, call = self.waiting.pop(0)
            self._advance(max(0.0, due - self.clock.monotonic()))
            with suppress(DriverError):  # nobody hears that it could not be done
                call()
        self._advance(max(0.0, end - self.clock.monotonic()))


def killed_at(stage: Stage, operation: int) -> None:
    """Drive one order until it ends or its worker is killed."""
    operations.admit_waiting(stage.cluster)
    try:
        drive(operation)
    except Killed:
        return


def until_step(stage: Stage, order: Operation, step: str) -> Work:
    """A worker carries it until it stands at this step."""
    work = taken(stage, order.pk)
    while stage.fresh(order).step != step:
        stage.clock.sleep(max(one_step(work) or 0, 0.01))
    return work


def steps(stage: Stage, work: Work, seconds: float) -> None:
    """It goes on for so long, or until it is settled."""
    end = stage.clock.monotonic() + seconds
    while stage.clock.monotonic() < end and (pause := one_step(work)) is not None:
        stage.clock.sleep(max(pause, 0.01))
