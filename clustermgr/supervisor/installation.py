"""What an administrator chose for this start, read from the environment; a wrong choice is one sentence."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clustermgr.supervisor import names

# sockaddr_un holds 108 bytes, the last of them a zero.
_LONGEST_SOCKET = 107


class StartRefused(Exception):
    """The start ends here. The text is the one sentence that says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    var: Path
    host: str
    port: int
    lab_port: int
    hosts: str  # "lab", "kvm-lab", or "none": those that are added in the console
    redis_url: str  # empty: a private server of our own
    name: str = ""  # under which others reach it; empty: nobody but this machine
    tls: bool = False  # a proxy in front speaks TLS under that name

    @property
    def address(self) -> str:
        """For programs on this machine, past any proxy."""
        return f"http://{names.shown(self.host)}:{self.port}"

    @property
    def public_address(self) -> str:
        """For people: what is printed."""
        if not self.name:
            return self.address
        return f"https://{self.name}" if self.tls else f"http://{self.name}:{self.port}"

    @property
    def lab_address(self) -> str:
        return f"http://{names.shown(self.host)}:{self.lab_port}"

    @property
    def simulated(self) -> bool:
        return self.hosts == "lab"


def read(environment: Mapping[str, str], var: Path, *, tls: bool = False) -> Installation:
    """Raises StartRefused when PORT, LAB_PORT or HOSTS cannot be meant."""
    port = _port(environment, "PORT", 8000)
    hosts = environment.get("HOSTS") or "lab"
    if hosts not in {"lab", "kvm-lab", "none"}:
        raise StartRefused(f"HOSTS must be lab, kvm-lab or none, not “{hosts}”.")
    return Installation(
        var=var,
        host=environment.get("HOST") or "127.0.0.1",
        port=port,
        lab_port=_port(environment, "LAB_PORT", port + 1),
        hosts=hosts,
        redis_url=environment.get("REDIS_URL", ""),
        name=names.first_public(environment),
        tls=tls,
    )


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise StartRefused(f"{name} must be a number from 1 to 65535, not “{text}”.")
    return int(text)


def redis_socket(var: Path) -> Path:
    """Where our own Redis listens. A deep folder's path does not fit a socket, so it moves to /tmp."""
    path = var.absolute() / "run" / "redis.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        return path
    digest = hashlib.sha256(os.fsencode(var.absolute())).hexdigest()[:12]
    return Path("/tmp") / f"clustermgr-{os.getuid()}-{digest}" / "redis.sock"


def require_free(host: str, port: int, name: str) -> None:
    """Refuse before anything starts, rather than let a child fail again and again."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise StartRefused(
                    f"Port {port} is in use by another program. End that one, or choose another port: "
                    f"make run {name}={port + 100 if port < 65000 else 8100}"
                ) from None
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise StartRefused(f"Cannot listen on {host}:{port} ({reason}). Set HOST and {name}.") from None
