"""The real processes of an installation: `manage.py up` in a folder of its own. Kills only these."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: How each process is told from its brothers by its command line.
MARKS = {
    "web": "clustermgr.asgi:application",
    "worker": "worker@",
    "watch": "watch@",
    "beat": "celery.beat:Scheduler",
    "console": "drivers.lab.console:app",
    "redis": "redis",
}


class Stack:
    """`with Stack(folder) as stack:` then `stack.url`; `stack.kill9("worker")`; `stack.log("web")`."""

    def __init__(self, var: Path, **environment: str) -> None:
        self.var = var
        self.port, self.lab_port = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"}}
        ours = {"CLUSTERMGR_VAR": str(var), "PORT": str(self.port), "LAB_PORT": str(self.lab_port)}
        self.environment = {**kept, **ours, "NO_COLOR": "1", **environment}
        self._up: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        self.var.mkdir(parents=True, exist_ok=True)
        with (self.var / "up.out").open("ab") as out:
            self._up = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait(self.answers, 120, "the console to answer")
        self.wait(lambda: bool(self.password), 30, "the administrator's password")

    def stop(self) -> None:
        """Ctrl-C, then no patience."""
        if self._up is None:
            return
        self._up.send_signal(signal.SIGINT)
        try:
            self._up.wait(15)
        except subprocess.TimeoutExpired:
            self._up.kill()  # its children die with it
            self._up.wait(5)
        self._up = None

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/sign-in/", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @property
    def supervisor(self) -> int:
        """The process of `manage.py up` itself."""
        assert self._up is not None
        return self._up.pid

    @property
    def password(self) -> str:
        path = self.var / "administrator.txt"
        return path.read_text().strip() if path.exists() else ""

    def pid(self, name: str) -> int | None:
        """The process of this name among the supervisor's own children."""
        if self._up is None:
            return None
        for child in _children(self._up.pid):
            if MARKS[name] in _command(child):
                return child
        return None

    def kill9(self, name: str) -> int:
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        self.wait(lambda: self.pid(name) != pid, 5, f"{name} to be gone")
        return pid

    def back(self, name: str) -> None:
        """Wait until the supervisor has started it again (and, for the web process, until it answers)."""
        self.wait(lambda: self.pid(name) is not None, 40, f"{name} to be back")
        if name == "web":
            self.wait(self.answers, 40, "the web process to answer")

    def log(self, name: str = "") -> str:
        path = self.var / "log" / "clustermgr.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(line for line in lines if not name or re.match(rf"\S+ {name} +\|", line))

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if self._up is not None and self._up.poll() is not None:
                raise AssertionError(f"`manage.py up` ended by itself.\n{self._output()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds:g} s in vain for {what}.\n{self._output()}")
            time.sleep(0.1)

    def _output(self) -> str:
        return "\n".join((self.var / "up.out").read_text(errors="replace").splitlines()[-40:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(parent: int) -> list[int]:
    path = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
