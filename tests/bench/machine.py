"""What the figures were measured on: they say little without it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("django", "celery", "channels", "uvicorn", "redis", "libvirt-python")
PROGRAMS = {
    "Redis": ("redis-server", "--version"),
    "QEMU": ("qemu-system-x86_64", "--version"),
    "libvirt": ("virsh", "--version"),
    "Chromium": ("chromium", "--version"),
}
#: More work than this was waiting for a processor in the last minute: others were at work, too.
BUSY = 0.5


def described() -> dict[str, str]:
    import sqlite3

    cores = os.cpu_count() or 1
    found = {
        "machine": f"{_processor()}, {cores} cores, {_memory_gb():.0f} GB memory",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        **{name: _version(name) for name in PACKAGES},
        **{name: _said(*words) for name, words in PROGRAMS.items()},
        "load": "{:.2f} {:.2f} {:.2f}".format(*os.getloadavg()),
    }
    return {name: text for name, text in found.items() if text}


def warning() -> str:
    """Why the figures of now may be too bad; "" on a quiet machine."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < BUSY * cores:
        return ""
    return f"The machine is busy (load {load:.1f} on {cores} cores): expect worse figures than its own."


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _said(*words: str) -> str:
    """The first line of what a program says of its version; "" where it is not installed."""
    if shutil.which(words[0]) is None:
        return ""
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    return (done.stdout.strip().splitlines() or [""])[0]
