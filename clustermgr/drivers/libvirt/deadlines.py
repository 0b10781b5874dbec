"""Blocking calls with a deadline: a helper thread makes the call, and is left behind when it does not return.

libvirt's calls cannot be interrupted (a pool on a dead NFS server hangs for ever), but one connection may be
used by several threads, so a stuck call does not spoil the next one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
MOST_STUCK = 8  # helper threads that one connection may lose before it is given up


class Task(Generic[T]):
    """One call. `leave` says that nobody waits any more; a late result is handed to `late`."""

    def __init__(self, call: Callable[[], T], late: Callable[[T], object] | None = None) -> None:
        self._call, self._late = call, late
        self._lock = threading.Lock()
        self._left = False
        self._ended = threading.Event()
        self._value: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value.append(self._call())
        except BaseException as error:  # handed to the waiting thread, whatever it is
            self._error = error
        with self._lock:
            self._ended.set()
            if self._left and self._late and self._value:
                self._late(self._value[0])

    def wait(self, seconds: float | None) -> bool:
        return self._ended.wait(seconds)

    def leave(self) -> None:
        with self._lock:
            self._left = True
            if self._ended.is_set() and self._late and self._value:
                self._late(self._value[0])

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value[0]


def in_thread(task: Task[T]) -> Task[T]:
    threading.Thread(target=task.run, daemon=True, name="libvirt-open").start()
    return task


class Stuck(Exception):
    """The call did not return in time; it goes on without us."""


class Caller:
    """Makes calls one after the other in a helper thread, which is replaced when a call gets stuck."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Task[Any] | None] | None = None
        self._stuck: list[Task[Any]] = []

    @property
    def exhausted(self) -> bool:
        return len(self._stuck) >= MOST_STUCK

    @property
    def stuck(self) -> bool:
        """Whether a call that was left behind has not returned yet."""
        return any(not task.wait(0) for task in self._stuck)

    def wait_for_stuck(self) -> None:
        """Until every call that was left behind has returned, however long that takes."""
        for task in self._stuck:
            task.wait(None)

    def call(self, function: Callable[[], T], seconds: float) -> T:
        """The function's result. Raises Stuck after `seconds`."""
        if self.exhausted:
            raise Stuck
        task = Task(function)
        self._helper().put(task)
        if task.wait(seconds):
            return task.result()
        self.close()  # the helper ends after the stuck call, if that ever returns
        self._stuck.append(task)
        raise Stuck

    def close(self) -> None:
        if self._queue is not None:
            self._queue.put(None)
        self._queue = None

    def _helper(self) -> queue.SimpleQueue[Task[Any] | None]:
        if self._queue is None:
            self._queue = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._queue,), daemon=True, name="libvirt-call").start()
        return self._queue


def _serve(tasks: queue.SimpleQueue[Task[Any] | None]) -> None:
    while (task := tasks.get()) is not None:
        task.run()
