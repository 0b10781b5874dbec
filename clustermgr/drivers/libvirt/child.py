"""`python -m clustermgr.drivers.libvirt.child PARENT`: one blocking call, then it ends.

One request on standard input, one answer on standard output, both JSON. It dies with its parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import libvirt

from clustermgr.drivers import permits
from clustermgr.drivers.contract import DriverError, HostUnreachable
from clustermgr.drivers.libvirt import connection, definitions, host, markers, moving, power, reach, storage
from clustermgr.drivers.libvirt.errors import translate
from clustermgr.drivers.libvirt.refusals import open_error

PR_SET_PDEATHSIG = 1

#: verb -> (function of the libvirt connection and the arguments, what it does in words)
VERBS: dict[str, tuple[Callable[..., Any], str]] = {
    "define": (definitions.define, "define the virtual machine"),
    "undefine": (definitions.undefine, "remove the virtual machine's definition"),
    "stamp": (definitions.stamp, "put the manager's mark on the virtual machine"),
    "forbid_autostart": (
        definitions.forbid_autostart,
        "keep the virtual machine from starting with its host",
    ),
    "apply_settings": (definitions.apply_settings, "change the virtual machine's settings"),
    "start": (power.start, "start the virtual machine"),
    "resume": (power.resume, "resume the virtual machine"),
    "suspend": (power.suspend, "pause the virtual machine"),
    "destroy": (power.destroy, "turn the virtual machine off"),
    "shutdown": (power.shutdown, "shut the virtual machine down"),
    "migrate": (moving.migrate, "move the virtual machine"),
    "abort_job": (moving.abort_job, "cancel the virtual machine's job"),
    "save": (moving.save, "save the virtual machine"),
    "restore": (moving.restore, "restore the virtual machine"),
    "delete_file": (storage.delete_file, "delete the file"),
    "claim_marker": (markers.claim, "put the manager's marker on the volume"),
    "activate_volume": (storage.activate, "activate the volume"),
    "deactivate_volume": (storage.deactivate, "deactivate the volume"),
}


def die_with(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked to be told
        os._exit(1)


def answer(**words: object) -> None:
    sys.stdout.write(json.dumps(words))
    sys.stdout.flush()


def give_up(seconds: float) -> None:
    answer(
        kind=HostUnreachable.__name__,
        sentence=f"The libvirt daemon did not answer within {seconds:g} s.",
        raw="",
    )
    os._exit(0)


def must_be(handle: libvirt.virConnect, known: str) -> None:
    """Nothing is ordered of another host than the one that was looked at before. Raises HostUnreachable."""
    if known and (found := host.host_uuid(handle)) != known:
        raise HostUnreachable(f"Another host ({found}) answers there now; nothing was begun on it.")


def perform(request: dict[str, Any]) -> object:
    """The verb's value. Raises the contract's errors; the deadline covers the opening only."""
    uri, seconds = request["uri"], float(request["open_within"])
    reach.check(uri, seconds)
    hang = threading.Timer(seconds, give_up, (seconds,))
    hang.daemon = True
    hang.start()
    try:
        handle = connection.open_raw(uri)
        must_be(handle, request.get("host_uuid", ""))
    except libvirt.libvirtError as error:
        raise open_error(str(error), uri) from error
    finally:
        hang.cancel()
    function, doing = VERBS[request["verb"]]
    permits.check(request["not_after"])  # last: reaching the host may have taken long
    try:
        return function(handle, **request["arguments"])
    except libvirt.libvirtError as error:
        raise translate(error, doing) from error


def main() -> None:
    die_with(int(sys.argv[1]))
    try:
        value = perform(json.load(sys.stdin))
    except DriverError as error:
        answer(kind=type(error).__name__, sentence=error.sentence, raw=error.raw)
    else:
        answer(value=value)
    sys.stdout.flush()
    os._exit(0)  # not through libvirt's exit handlers, which would wait for the event thread


if __name__ == "__main__":
    main()
