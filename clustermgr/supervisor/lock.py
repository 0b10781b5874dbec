"""One supervisor, or one restore, in each folder: a lock that the kernel frees when its holder is gone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from clustermgr.supervisor.installation import StartRefused

RESTORES = "restores a backup"
_USE_IT = "Use it, or end it with Ctrl-C in its window first."
_WAIT = "Wait until it has ended."


class Lock:
    """Whoever names the same installation's folder meets the same lock."""

    def __init__(self, var: Path) -> None:
        folder = var / "run"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handle = open(folder / "supervisor.lock", "a+")  # noqa: SIM115  (held until the end)

    def take(self, doing: str) -> None:
        """`doing`: "at" an address, or RESTORES. Raises StartRefused, naming the holder, when one has it."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._handle.seek(0)
            holder = self._handle.read().strip() or "another process"
            self._handle.close()
            advice = _WAIT if RESTORES in holder else _USE_IT
            raise StartRefused(f"clustermgr already runs here: {holder}. {advice}") from None
        self._handle.truncate(0)
        self._handle.write(f"process {os.getpid()} {doing}\n")
        self._handle.flush()

    def free(self) -> None:
        self._handle.truncate(0)
        self._handle.close()
