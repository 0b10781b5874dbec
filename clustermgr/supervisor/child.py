"""One process and its output: started in a session of its own, tied to our life, restarted with back-off."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping

from clustermgr.supervisor.log import Log
from clustermgr.supervisor.processes import Process

_FIRST_DELAY, _LONGEST_DELAY, _HEALTHY_AFTER = 0.5, 10.0, 60.0
_LONGEST_LINE = 64 * 1024
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with(parent: int) -> None:
    """In the new process, before exec: the kernel kills it when the supervisor is gone, however it went."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the supervisor went before the line above
        os._exit(1)


class Child:
    def __init__(self, process: Process, *, environment: Mapping[str, str], folder: str, log: Log) -> None:
        self.process = process
        self.name = process.name
        self.restart_at: float | None = None
        self._environment = dict(environment)
        self._folder = folder
        self._log = log
        self._popen: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._delay = _FIRST_DELAY
        self._rest = b""

    @property
    def alive(self) -> bool:
        return self._popen is not None

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen else None

    @property
    def pipe(self) -> int | None:
        return self._popen.stdout.fileno() if self._popen and self._popen.stdout else None

    def start(self, now: float) -> None:
        """Raises OSError when the program cannot be run."""
        parent = os.getpid()
        self._popen = subprocess.Popen(
            [self.process.program or sys.executable, *self.process.argv],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Safe here: the supervisor has one thread.
            preexec_fn=lambda: _die_with(parent),
        )
        os.set_blocking(self._popen.stdout.fileno(), False)  # type: ignore[union-attr]
        self._started_at, self.restart_at, self._rest = now, None, b""

    def read(self) -> bool:
        """Pass on the lines that are there; False when there is nothing more to come."""
        assert self.pipe is not None
        try:
            block = os.read(self.pipe, 65536)
        except BlockingIOError:
            return True
        self._pass_on(block)
        return bool(block)

    def reap(self, now: float, *, restart: bool) -> bool:
        """True when the process has just ended; with `restart`, its next start is planned."""
        if self._popen is None or not self._ended(self._popen.pid):
            return False
        # Before its number is given back: what it may have left behind in its session.
        self.signal(signal.SIGKILL)
        code = self._popen.wait()
        self._drain()
        self._popen = None
        if restart:
            self._plan_restart(now, code)
        return True

    def fail(self, now: float, error: OSError) -> None:
        """The program could not be run at all; try again later like after a crash."""
        self._log.say(f"{self.name} cannot be started: {error}.")
        self._plan_restart(now, None)

    def signal(self, number: signal.Signals) -> None:
        if self._popen is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, number)

    def _plan_restart(self, now: float, code: int | None) -> None:
        if now - self._started_at >= _HEALTHY_AFTER:
            self._delay = _FIRST_DELAY
        self.restart_at = now + self._delay
        if code is not None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
            self._log.say(f"{self.name} {how}; it starts again in {self._delay:g} s.")
        self._delay = min(self._delay * 2, _LONGEST_DELAY)

    @staticmethod
    def _ended(pid: int) -> bool:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _pass_on(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        if self._rest and (not block or len(self._rest) > _LONGEST_LINE):
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip()
            if text and not any(hidden in text for hidden in self.process.hide):
                self._log.write(self.name, text)

    def _drain(self) -> None:
        """The last words of a process that has ended; whoever else holds its pipe is not waited for."""
        assert self._popen is not None
        assert self._popen.stdout is not None
        with contextlib.suppress(BlockingIOError):
            while block := os.read(self._popen.stdout.fileno(), 65536):
                self._pass_on(block)
        self._pass_on(b"")
        self._popen.stdout.close()
