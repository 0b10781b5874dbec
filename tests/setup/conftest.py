"""A real supervisor over tiny children, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clustermgr.ports import RealClock

ROOT = Path(__file__).resolve().parents[2]


class Supervised:
    """`children` maps a name to Python source; `lines` is what came out so far."""

    def __init__(self, folder: Path, children: dict[str, str], *, greeting: str = "up") -> None:
        self.log = folder / "log" / "clustermgr.log"
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("supervise.py")), str(self.log)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(children))
        self.process.stdin.close()

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def said(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]

    def pid_of(self, name: str) -> int:
        """The newest process of that name; a fake child says its own number first."""
        wait_until(lambda: self.said(f"{name:<10} | pid "))
        return int(self.said(f"{name:<10} | pid ")[-1].rsplit(" ", 1)[1])

    def end(self, number: signal.Signals = signal.SIGINT) -> float:
        """Send the signal; the seconds until the supervisor was gone."""
        clock = RealClock()
        began = clock.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=20)
        return clock.monotonic() - began


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    clock = RealClock()
    deadline = clock.monotonic() + seconds
    while not condition():
        if clock.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        clock.sleep(0.02)


def gone(pid: int) -> bool:
    """True when no such process runs (one that only waits to be buried counts as gone)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(**children: str) -> Supervised:
        started.append(Supervised(tmp_path, children))
        return started[-1]

    yield start
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.process.pid, signal.SIGKILL)
        one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()
