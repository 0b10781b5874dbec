"""As `clustermgr.drivers.libvirt.child`, but its host's daemon hangs just before the call is sent.

The daemon has the request in its socket then, says nothing, and obeys when it goes on: a late answer, as on a
host that stalls. STALL names the daemon's process and the verb; a file STALL_ONCE keeps it to the first call.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import libvirt

from clustermgr.drivers.libvirt import child


def stalling(verb: str, stall: Any) -> Any:
    real, doing = child.VERBS[verb]

    def call(handle: Any, **arguments: Any) -> Any:
        once = Path(os.environ["STALL_ONCE"])
        if once.exists():
            return real(handle, **arguments)
        once.touch()
        stall()
        return real(handle, **arguments)

    return call, doing


def hang() -> None:
    """Between the look-ups of a verb and the call that changes something: the next requests go unread."""
    pid = int(os.environ["STALL"].split()[0])
    for name in ("createWithFlags", "resume"):
        _before(libvirt.virDomain, name, pid)
    _before(libvirt.virConnect, "restoreFlags", pid)


def _before(kind: Any, name: str, pid: int) -> None:
    real = getattr(kind, name)

    def call(self: Any, *arguments: Any) -> Any:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.1)  # the daemon's threads stop one after the other
        return real(self, *arguments)

    setattr(kind, name, call)


if __name__ == "__main__":
    verb = os.environ["STALL"].split()[1]
    child.VERBS[verb] = stalling(verb, hang)
    child.main()
