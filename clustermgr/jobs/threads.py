"""Who may have one of this worker's threads: what must never wait has some that nobody else takes.

Celery cannot divide a pool of threads by queue, so a task beyond its limit returns at once and stands in
line here; whoever has finished goes on with it. A line that is lost is sent again from the rows.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from celery import Task
from celery.signals import worker_shutting_down
from django.db import close_old_connections

log = logging.getLogger(__name__)

#: Threads of a worker. Those above the limits are for the engine, the reaper and admission, which are short.
THREADS = 40


class Limit(IntEnum):
    """How many threads may be taken when work of this kind takes one more."""

    ORDINARY = 32
    RECOVERY = 38


#: How many of them may do nothing but wait for a host.
WAITING = {Limit.ORDINARY: 16, Limit.RECOVERY: 20}
#: Queues whose tasks take as long as hosts do. In the engine's an operation is a recovery, all else is short.
ORDINARY_QUEUES = ("operations", "default")
DRIVE = "clustermgr.jobs.operations.drive"


@dataclass(frozen=True, slots=True)
class Errand:
    """One task to run; two are the same when they are called the same with the same arguments."""

    name: str
    args: tuple[Any, ...]
    call: Callable[..., object] = field(compare=False)


class Places:
    """The threads of one process: taken, waiting, and who stands in line for one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Limit, deque[Errand]] = {limit: deque() for limit in Limit}
        self.taken = 0
        self.waiting = 0
        self.closed = False

    def enter(self, errand: Errand, limit: Limit) -> bool:
        """Take a place; False: it stands in line now, once."""
        with self._lock:
            if self.taken < limit:
                self.taken += 1
                return True
            if errand not in self._lines[limit]:
                self._lines[limit].append(errand)
            return False

    def leave(self) -> Errand | None:
        """Give the place to the next in line, recoveries first; None: nobody stands there."""
        with self._lock:
            for limit in sorted(Limit, reverse=True):
                if self._lines[limit] and self.taken <= limit and not self.closed:
                    return self._lines[limit].popleft()
            self.taken -= 1
            return None

    def wait(self, limit: Limit) -> bool:
        """Whether one more may keep its thread while it does nothing but wait."""
        with self._lock:
            free = self.waiting < WAITING[limit]
            self.waiting += free
            return free

    def go_on(self) -> None:
        """One that waited does so no longer."""
        with self._lock:
            self.waiting -= 1

    def run(self, errand: Errand, limit: Limit) -> None:
        """Run it here, if there is a place, and then who stands in line."""
        if not self.enter(errand, limit):
            return
        following: Errand | None = errand
        while following is not None:
            try:
                following.call(*following.args)
            except Exception:
                log.exception("%s%s stumbled", following.name, following.args)
            finally:
                following = self.leave()
            close_old_connections()  # as Celery does between two tasks

    def close(self) -> None:
        """This worker stops: nobody in line is taken any more."""
        self.closed = True


PLACES = Places()


def limit_of(task: str, queue: str) -> Limit | None:
    """None: short work, or a process of its own, which takes a thread whenever there is one."""
    if queue in ORDINARY_QUEUES:
        return Limit.ORDINARY
    return Limit.RECOVERY if queue == "engine" and task == DRIVE else None


class Placed(Task):  # type: ignore[misc]
    """Every task of ours; called in a worker, it takes a place first."""

    abstract = True

    def __call__(self, *args: Any, **named: Any) -> Any:
        limit = limit_of(self.name, (self.request.delivery_info or {}).get("routing_key", ""))
        if limit is None:
            return self.run(*args, **named)
        return PLACES.run(Errand(self.name, args, self.run), limit)


@worker_shutting_down.connect
def _close(**_: object) -> None:
    PLACES.close()
