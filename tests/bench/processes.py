"""What processes cost: processor seconds and memory, read from /proc. Linux only."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path


def family(root: int) -> list[int]:
    """The process and all that descend from it."""
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                left += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Of all its threads, also ended ones, since it began; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100  # user and system, in hundredths


def worked(pid: int) -> float:
    """Like `cpu_seconds`, to the nanosecond: the clock that Linux keeps of each process."""
    return time.clock_gettime((~pid << 3) | 2)


def rss_mb(pid: int) -> float:
    """Resident memory, pages shared with others counted in full."""
    return _status(Path(f"/proc/{pid}/status"), "VmRSS:")


def pss_mb(pid: int) -> float:
    """Resident memory, pages shared with others counted in part: these sum up."""
    return _status(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")


def _status(path: Path, name: str) -> float:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
