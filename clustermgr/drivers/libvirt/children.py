"""Starts the child processes that make mutating calls, and reads their answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO

from clustermgr.drivers import permits
from clustermgr.drivers.contract import DriverError, Failed, HandleState, HostUnreachable
from clustermgr.drivers.libvirt.errors import rebuild

MODULE = "clustermgr.drivers.libvirt.child"
PACKAGE_ROOT = str(Path(__file__).resolve().parents[3])

# A child dies with the *thread* that started it (PR_SET_PDEATHSIG), so one thread that lives as long as this
# process starts them all. A forked process begins anew: threads do not survive a fork.
_starter: ThreadPoolExecutor | None = None

# A handle may be dropped while its call goes on; whoever starts the next child collects those that ended.
_under_way: set[ChildHandle] = set()


def _begin_anew() -> None:
    global _starter
    _starter = None
    _under_way.clear()


os.register_at_fork(after_in_child=_begin_anew)


def spawn(
    uri: str, verb: str, arguments: Mapping[str, object], open_within: float, host_uuid: str = ""
) -> subprocess.Popen[bytes]:
    """A child that has its request and works. Raises TooLate when it may call no more."""
    global _starter
    not_after = permits.moment()
    if _starter is None:
        _starter = ThreadPoolExecutor(1, thread_name_prefix="libvirt-children")
    child = _starter.submit(_start).result()
    request = {"uri": uri, "verb": verb, "arguments": dict(arguments), "open_within": open_within}
    request["not_after"] = not_after
    request["host_uuid"] = host_uuid  # who must answer, where that is known
    stdin = _pipe(child.stdin)
    with suppress(BrokenPipeError), stdin:  # if it died at once, its answer or the lack of one says why
        stdin.write(json.dumps(request).encode())
    child.stdin = None  # communicate() would flush what is closed
    return child


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PACKAGE_ROOT,
        start_new_session=True,  # a Ctrl-C at our terminal is for us to handle
    )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise Failed("The process for the call has no pipe.")
    return pipe


def call(
    uri: str, verb: str, arguments: Mapping[str, object], deadline: float, host_uuid: str = ""
) -> object:
    """One mutating call with a deadline. After HostUnreachable the host may still act."""
    child = spawn(uri, verb, arguments, deadline, host_uuid)
    try:
        output, _ = child.communicate(timeout=deadline)
    except subprocess.TimeoutExpired as late:
        child.kill()
        child.communicate()
        raise HostUnreachable(f"No answer within {deadline:g} s; the host may still act.") from late
    return _value(output, child.returncode)


def _value(output: bytes, code: int) -> object:
    """What the child answered. Raises the error that it names."""
    try:
        words = json.loads(output)
    except ValueError as silence:
        raise HostUnreachable(f"The process for the call ended without an answer (code {code}).") from silence
    if "kind" in words:
        raise rebuild(words["kind"], words["sentence"], words.get("raw", ""))
    return words.get("value")


class ChildHandle:
    """A `begin_*` call under way in a child of this process."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._lock = threading.Lock()  # its owner polls it, and whoever collects the dropped ones
        self._outcome: tuple[HandleState, str] | None = None

    @property
    def pid(self) -> int:
        return self._child.pid

    def poll(self) -> tuple[HandleState, str]:
        with self._lock:
            if self._outcome is None and self._child.poll() is not None:
                self._outcome = self._read()
        return self._outcome or (HandleState.RUNNING, "")

    def _read(self) -> tuple[HandleState, str]:
        with _pipe(self._child.stdout) as answer:
            output = answer.read()
        try:
            _value(output, self._child.returncode)
        except HostUnreachable as silence:
            return HandleState.LOST, silence.sentence
        except DriverError as error:
            return HandleState.FAILED, error.sentence
        return HandleState.DONE, ""


def begin(
    uri: str, verb: str, arguments: Mapping[str, object], open_within: float, host_uuid: str = ""
) -> ChildHandle:
    """A mutating call that takes time. `open_within`: seconds for reaching the host, not for the work."""
    for handle in list(_under_way):
        if handle.poll()[0] is not HandleState.RUNNING:
            _under_way.discard(handle)
    handle = ChildHandle(spawn(uri, verb, arguments, open_within, host_uuid))
    _under_way.add(handle)
    return handle
