"""The loop: passes on output, restarts what crashed, and ends all in order when told to."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
from collections.abc import Callable, Mapping
from types import FrameType

from clustermgr.ports import Clock
from clustermgr.supervisor.child import Child
from clustermgr.supervisor.log import Log
from clustermgr.supervisor.processes import Process, stop_stages

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Keeper:
    def __init__(self, *, environment: Mapping[str, str], folder: str, log: Log, clock: Clock) -> None:
        self.children: dict[str, Child] = {}
        self.stopping = False
        self._environment, self._folder = environment, folder
        self._log, self._clock = log, clock
        self._hurry = False
        self._selector = selectors.DefaultSelector()
        self._listen()

    def start(self, *processes: Process) -> None:
        for process in processes:
            child = Child(process, environment=self._environment, folder=self._folder, log=self._log)
            self.children[process.name] = child
            self._launch(child)

    def wait_for(self, condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
        """Turn the loop until the condition holds, the time is over or we are told to stop."""
        deadline = self._clock.monotonic() + seconds
        while not self.stopping:
            if condition():
                return True
            if self._clock.monotonic() >= deadline:
                return False
            self._turn(every)
        return False

    def run(self) -> None:
        """Keep everything alive until a signal says stop."""
        while not self.stopping:
            self._turn(self._until_restart())

    def stop(self) -> None:
        """End all, stage after stage, within the sum of the stages' graces."""
        self.stopping = True
        for names in stop_stages([name for name, child in self.children.items() if child.alive]):
            self._stop([self.children[name] for name in names])

    def close(self) -> None:
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _stop(self, stage: list[Child]) -> None:
        for child in stage:
            child.signal(signal.SIGTERM)
        deadline = self._clock.monotonic() + max(child.process.grace for child in stage)
        while any(child.alive for child in stage) and self._clock.monotonic() < deadline and not self._hurry:
            self._turn(0.05)
        for child in stage:
            if child.alive:
                self._log.say(f"{child.name} did not end by itself and is killed.")
                child.signal(signal.SIGKILL)
        while any(child.alive for child in stage):
            self._turn(0.05)

    def _listen(self) -> None:
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._old_wakeup = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        # Under nohup a closed terminal is meant to end nothing.
        asked = [n for n in _SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
        self._old_handlers = {number: signal.signal(number, self._asked) for number in asked}
        # A handler of our own makes the kernel tell the pipe above when a child ends.
        self._old_handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self._hurry = self.stopping  # asked twice: no more patience
        self.stopping = True

    def _launch(self, child: Child) -> None:
        now = self._clock.monotonic()
        try:
            child.start(now)
        except OSError as error:
            child.fail(now, error)
        else:
            assert child.pipe is not None
            self._selector.register(child.pipe, selectors.EVENT_READ, child)

    def _turn(self, seconds: float | None) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
            elif not key.data.read():
                self._selector.unregister(key.fd)
        self._reap()
        for child in self.children.values():
            due = child.restart_at
            if not self.stopping and due is not None and self._clock.monotonic() >= due:
                self._launch(child)

    def _reap(self) -> None:
        for child in self.children.values():
            pipe = child.pipe
            if child.reap(self._clock.monotonic(), restart=not self.stopping) and pipe is not None:
                with contextlib.suppress(KeyError):
                    self._selector.unregister(pipe)

    def _until_restart(self) -> float | None:
        due = [child.restart_at for child in self.children.values() if child.restart_at is not None]
        return max(0.0, min(due) - self._clock.monotonic()) if due else None
