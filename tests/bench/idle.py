"""The whole installation with the large cluster while nobody does anything: processor and memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import installation, processes
from tests.bench.figures import Figure
from tests.stack import MARKS

#: Every configuration is read once in the first minute; idle begins after that.
SETTLE_S, SECONDS = 75, 60
QUICK = {"settle": 1, "seconds": 1}


def measure(
    seed: Path, folder: Path, *, settle: float = SETTLE_S, seconds: float = SECONDS
) -> Iterator[Figure]:
    with installation.running(seed, folder) as stack:
        time.sleep(settle)
        pids = processes.family(stack.supervisor)
        before = {pid: processes.cpu_seconds(pid) for pid in pids}
        began = time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        share = {pid: 100 * (processes.cpu_seconds(pid) - before[pid]) / passed for pid in pids}
        memory = {pid: processes.pss_mb(pid) for pid in pids}
        names = {pid: name_of(pid) for pid in pids}
    watch = sum(value for pid, value in share.items() if names[pid] == "watch")
    shares = ", ".join(f"{names[pid]} {share[pid]:.1f}" for pid in pids)
    sizes = ", ".join(f"{names[pid]} {memory[pid]:.0f}" for pid in pids)
    yield Figure("idle installation, share of a core", sum(share.values()), "%", 15, note=shares)
    yield Figure("idle installation, memory (PSS)", sum(memory.values()), "MB", 600, note=sizes)
    yield Figure("idle watch process, share of a core", watch, "%", 10, note="at a 5 s interval")


def name_of(pid: int) -> str:
    words = processes.command(pid)
    return next((name for name, mark in MARKS.items() if mark in words), "supervisor")
