"""The one log: every line of every process behind the process's name, on the terminal and in var/log."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TextIO

from clustermgr.logs import hide
from clustermgr.ports import clock

_LARGEST = 10 * 1024 * 1024
_WIDTH = 10
_COLOURS = {
    "redis": "31",
    "web": "36",
    "worker": "32",
    "watch": "35",
    "beat": "33",
    "console": "34",
    "clustermgr": "1",
}


class Log:
    """`form`: "text", or "json" for one object a line, as the processes write them by themselves then."""

    def __init__(self, path: Path, stream: TextIO | None = None, *, form: str = "text") -> None:
        self.path = path
        self.form = form
        self.stream: TextIO | None = sys.stdout if stream is None else stream
        self.colour = self.stream.isatty() and not os.environ.get("NO_COLOR")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def write(self, name: str, line: str) -> None:
        stamp = clock().now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if self.form == "json":
            line = line if line.startswith('{"') else _object(stamp, name, line)
            self._keep(line)
            return self.show(line)
        self._keep(f"{stamp} {name:<{_WIDTH}} | {line}")
        prefix = f"{name:<{_WIDTH}} |"
        if self.colour:
            prefix = f"\x1b[{_COLOURS.get(name, '0')}m{prefix}\x1b[0m"
        return self.show(f"{prefix} {line}")

    def say(self, line: str) -> None:
        """A line of the supervisor's own."""
        self.write("clustermgr", line)

    def show(self, text: str) -> None:
        """To the terminal alone: what must not stay in a file, such as a password."""
        if self.stream is None:
            return
        try:
            self.stream.write(text + "\n")
            self.stream.flush()
        except (OSError, ValueError):
            self.stream = None  # the terminal went away; the file goes on

    def close(self) -> None:
        self.file.close()

    def _keep(self, line: str) -> None:
        with contextlib.suppress(OSError):  # a full disk costs lines, never the processes
            self.file.write(f"{line}\n".encode(errors="replace"))
            if self.file.tell() > _LARGEST:
                self._rotate()

    def _open(self) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        # Unbuffered: what cannot be written now is not tried again at each later line.
        self.file = os.fdopen(descriptor, "ab", buffering=0)
        self.file.seek(0, os.SEEK_END)

    def _rotate(self) -> None:
        self.file.close()
        self.path.replace(self.path.with_suffix(".log.1"))
        self._open()


def _object(stamp: str, name: str, line: str) -> str:
    """A line of a program that knows nothing of this form, such as Redis."""
    words = {"time": stamp, "level": "info", "process": name, "message": hide(line)}
    return json.dumps(words, ensure_ascii=False)
