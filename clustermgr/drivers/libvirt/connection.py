"""Opening a connection and calling through it: event loop, keepalive, deadlines, translated errors."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

import libvirt

from clustermgr.drivers.contract import Failed, HostUnreachable
from clustermgr.drivers.libvirt import reach
from clustermgr.drivers.libvirt.deadlines import Caller, Stuck, Task, in_thread
from clustermgr.drivers.libvirt.errors import is_lost, translate
from clustermgr.drivers.libvirt.refusals import open_error

T = TypeVar("T")
KEEPALIVE = (2, 3)  # seconds between probes, probes without an answer: lost after 8 s

_lock = threading.Lock()
_loop_pid = 0
_unfinished: dict[str, Task[libvirt.virConnect]] = {}  # opens that outlived their deadline, one per URI


def ensure_event_loop() -> None:
    """Register libvirt's event loop before the first open, and run it in one thread: keepalive needs it."""
    global _loop_pid
    with _lock:
        if _loop_pid == os.getpid():
            return
        if _loop_pid:
            raise Failed("libvirt was in use before this process was forked; connect only after forking.")
        libvirt.registerErrorHandler(lambda _context, _error: None, None)  # otherwise it writes to stderr
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=_run_events, daemon=True, name="libvirt-events").start()
        _loop_pid = os.getpid()


def _run_events() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def open_raw(uri: str) -> libvirt.virConnect:
    """Blocks for as long as libvirt does; for callers that may be left behind or killed."""
    ensure_event_loop()
    handle = libvirt.open(uri)
    handle.setKeepAlive(*KEEPALIVE)
    return handle


def open_within(uri: str, deadline: float) -> libvirt.virConnect:
    """Raises HostUnreachable, AgentDown, Refused. A hanging host costs one thread, tried however often."""
    reach.check(uri, deadline)
    with _lock:
        task = _unfinished.pop(uri, None)
    if task is not None and task.wait(0):
        task.leave()  # an answer from before: closed, a fresh one is surer
        task = None
    if task is None:
        task = in_thread(Task(lambda: open_raw(uri), late=close_quietly))
    if task.wait(deadline):
        return _opened(task, uri)
    with _lock:
        kept = _unfinished.setdefault(uri, task)
    if kept is not task:
        task.leave()
    raise HostUnreachable(f"The libvirt daemon did not answer within {deadline:g} s.")


def _opened(task: Task[libvirt.virConnect], uri: str) -> libvirt.virConnect:
    try:
        return task.result()
    except libvirt.libvirtError as error:
        raise open_error(str(error), uri) from error


def close_quietly(handle: libvirt.virConnect) -> None:
    try:
        handle.close()
    except libvirt.libvirtError:
        return  # it is gone: that is what was wanted


class Connection:
    """One open connection. After it was lost every call fails at once: open a new one."""

    def __init__(self, uri: str, deadline: float) -> None:
        self.uri = uri
        self.deadline = deadline
        self._handle = open_within(uri, deadline)
        self._caller = Caller()
        self._lost = False

    @property
    def stuck(self) -> bool:
        """Whether an earlier call still holds a thread of the daemon's."""
        return self._caller.stuck

    def call(self, doing: str, function: Callable[[libvirt.virConnect], T]) -> T:
        """`function` of the connection. `doing` completes “could not …”. Raises the contract's errors."""
        if self._lost:
            raise HostUnreachable("The connection to the host is closed.")
        try:
            return self._caller.call(lambda: function(self._handle), self.deadline)
        except Stuck as stuck:
            self._lost = self._caller.exhausted
            late = f"The host did not {doing} within {self.deadline:g} s."
            raise HostUnreachable(late) from stuck
        except libvirt.libvirtError as error:
            self._lost = is_lost(error)
            raise translate(error, doing) from error

    def close(self) -> None:
        self._lost = True
        self._caller.close()
        in_thread(Task(self._close))  # closing asks the daemon, which may hang

    def _close(self) -> None:
        # libvirt frees what a call still uses when its connection is closed under it: the process would die.
        self._caller.wait_for_stuck()
        close_quietly(self._handle)
