"""Whether a host's daemon can be reached: a timed connect before libvirt's own open, which may hang."""

from __future__ import annotations

import socket
from urllib.parse import parse_qs, urlsplit

from clustermgr.drivers.contract import AgentDown, HostUnreachable

PORTS = {"tcp": 16509, "tls": 16514, "ssh": 22, "libssh": 22, "libssh2": 22}


def check(uri: str, deadline: float) -> None:
    """Raises HostUnreachable, or AgentDown when the machine refuses. Other URIs pass unchecked."""
    parts = urlsplit(uri)
    transport = parts.scheme.partition("+")[2] or ("tls" if parts.hostname else "unix")
    if transport == "unix":
        path = parse_qs(parts.query).get("socket", [""])[0]
        if path:
            _check_unix(path, deadline)
    elif transport in PORTS and parts.hostname:
        _check_tcp(parts.hostname, parts.port or PORTS[transport], deadline)


def _check_tcp(host: str, port: int, deadline: float) -> None:
    try:
        socket.create_connection((host, port), timeout=deadline).close()
    except ConnectionRefusedError as refused:
        raise AgentDown(
            f"{host} answers, but nothing listens on its port {port}.", raw=str(refused)
        ) from refused
    except OSError as error:
        raise HostUnreachable(
            f"{host} does not answer on port {port}: {_words(error)}.", raw=str(error)
        ) from error


def _check_unix(path: str, deadline: float) -> None:
    """A missing socket means a missing machine: a named socket stands for a host elsewhere (lab, tunnel)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(deadline)
        try:
            probe.connect(path)
        except ConnectionRefusedError as refused:
            raise AgentDown(f"The libvirt daemon behind {path} does not run.", raw=str(refused)) from refused
        except OSError as error:
            raise HostUnreachable(
                f"The host behind {path} does not answer: {_words(error)}.", raw=str(error)
            ) from error


def _words(error: OSError) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
