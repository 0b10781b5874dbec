"""One supervisor for each installation: a lock that the kernel frees when its holder is gone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from clustermgr.supervisor.installation import StartRefused


class Lock:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._handle = open(folder / "supervisor.lock", "a+")  # noqa: SIM115  (held until the end)

    def take(self, address: str) -> None:
        """Raises StartRefused when another supervisor holds it; says where that one is."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._handle.seek(0)
            holder = self._handle.read().strip() or "another process"
            self._handle.close()
            raise StartRefused(
                f"clustermgr already runs here: {holder}. Use it, or end it with Ctrl-C in its window first."
            ) from None
        self._handle.truncate(0)
        self._handle.write(f"process {os.getpid()} at {address}\n")
        self._handle.flush()

    def free(self) -> None:
        self._handle.truncate(0)
        self._handle.close()
