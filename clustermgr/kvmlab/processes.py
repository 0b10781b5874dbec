"""Running commands, and remembering the processes that the lab started so that only those are ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from clustermgr.kvmlab.layout import LabError


def run(*command: str | Path, text: str | None = None, timeout: float = 60) -> str:
    """The output of a command; LabError with its last line of complaint when it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=timeout)
    except FileNotFoundError as gone:
        raise LabError(f"The command “{words[0]}” is missing.") from gone
    except subprocess.TimeoutExpired as late:
        raise LabError(f"“{' '.join(words[:6])}” did not end within {timeout:.0f} s.") from late
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise LabError(f"“{' '.join(words[:8])}” failed: {said}")
    return done.stdout


def spawn(command: Sequence[str | Path], log: Path) -> int:
    """Start a process of its own session that outlives us; its pid."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )
    process.returncode = 0  # it outlives us by design: no warning about a child that still runs
    return process.pid


def started_at(pid: int) -> str | None:
    """The kernel's start time of a process, which with the pid names it for ever; None when it ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def remember(path: Path, pid: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{pid} {started_at(pid)}\n")


def recall(path: Path) -> int | None:
    """The remembered process, if it is still that same one."""
    try:
        pid, start = path.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if started_at(int(pid)) == start else None


def end(path: Path) -> None:
    """Kill the remembered process, wait for its end and forget it."""
    pid = recall(path)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        reap(pid)
        wait_until(lambda: started_at(pid) is None, 20, f"process {pid} does not end")
    path.unlink(missing_ok=True)


def reap(pid: int) -> None:
    """Collect the process if it is our own child (it is when one process does both up and down)."""
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return


def only_child(pid: int) -> int | None:
    """The process that `unshare --fork` made: the first process of the new PID namespace."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(children[0]) if children else None


def wait_until(done: Callable[[], object], seconds: float, complaint: str) -> None:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise LabError(f"Waited {seconds:.0f} s in vain: {complaint}.")
        time.sleep(0.02)
