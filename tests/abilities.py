"""What this machine can do: each function answers "" or the one line that explains a skip."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from clustermgr.supervisor import redis_server
from tests import postgres

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """The browser's path; PLAYWRIGHT_CHROMIUM names another."""
    named = os.environ.get("PLAYWRIGHT_CHROMIUM")
    return named or next(filter(None, map(shutil.which, CHROMIUM)), None)


@cache
def no_browser() -> str:
    if find_spec("playwright") is None:
        return "playwright is not installed (pip install -r tests/requirements.txt)"
    return "" if chromium() else "Chromium is not installed (apt-get install chromium)"


@cache
def no_redis() -> str:
    return "" if redis_server.find() else "no redis-server here (apt-get install redis-server)"


@cache
def no_qemu() -> str:
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    if find_spec("libvirt") is None:
        return "libvirt-python is not installed (pip install -r requirements-libvirt.txt)"
    tools = ("libvirtd", "virtqemud", "qemu-system-x86_64", "ip", "unshare")
    found = {tool for tool in tools if shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin")}
    missing = [tool for tool in tools[2:] if tool not in found]
    if not found & {"libvirtd", "virtqemud"}:
        missing.insert(0, "libvirtd")
    return f"not installed: {', '.join(missing)} (make setup installs them)" if missing else ""


@cache
def no_postgres() -> str:
    if not postgres.program("postgres"):
        return "no PostgreSQL server here (apt-get install postgresql)"
    return "" if os.geteuid() != 0 or shutil.which("setpriv") else "root needs setpriv, for PostgreSQL"


def no_program(name: str, package: str) -> Callable[[], str]:
    return lambda: "" if shutil.which(name) else f"no {name} here (apt-get install {package})"


@cache
def no_root() -> str:
    return "" if os.geteuid() == 0 else "needs root, for a small file system or other accounts"


@cache
def no_apt() -> str:
    listed = shutil.which("apt-get") and any(Path("/var/lib/apt/lists").glob("*_Packages*"))
    return "" if listed else "no list of Debian's packages here (apt-get update)"


MISSING: dict[str, Callable[[], str]] = {
    "browser": no_browser,
    "qemu": no_qemu,
    "redis": no_redis,
    "postgres": no_postgres,
    "apt": no_apt,
    "compose": no_program("docker-compose", "docker-compose"),
    "root": no_root,
    "systemd": no_program("systemd-analyze", "systemd"),
}
