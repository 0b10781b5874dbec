"""Where a host is: the addresses that may be typed, read into their parts. Pure; asks no network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, parse_qsl, urlsplit

#: transport -> the port that is meant when none is written
PORTS = {"ssh": 22, "tls": 16514, "tcp": 16509}
EXAMPLE = "qemu+ssh://root@hv-01.example/system"
LONGEST = 300  # characters, as the column holds

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_SIMULATED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class BadAddress(ValueError):
    """An address that cannot be used. The text is a sentence with the rule and what to write."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address in parts. `text` is what to keep and to open."""

    text: str
    driver: str  # "lab" or "libvirt"
    transport: str  # "ssh", "tls", "tcp", "unix"; "lab" for a simulated host
    host: str = ""  # a name or an address, IPv6 without brackets; a simulated host's name; "" on this machine
    port: int = 0  # the one to reach; 0 where there is none
    user: str = ""
    socket: str = ""

    @property
    def encrypted(self) -> bool:
        return self.transport != "tcp"

    @property
    def pins_host_key(self) -> bool:
        """Whether a host key is shown and pinned before anybody signs in."""
        return self.transport == "ssh"


def parse(text: str, *, sockets: bool = False) -> Address:
    """The parts of `text`. Raises BadAddress with one sentence for a person.

    Taken: `qemu+ssh://[user@]host[:port]/system`, `qemu+tls://host[:port]/system`, `qemu+tcp://…`,
    `qemu:///system` (this machine) and `lab:name`. `sockets`: also `qemu+unix:///system?socket=/path`, which
    whoever stands at the manager's machine may use, and nobody from afar. No other parameter is ever taken:
    libvirt's own could run a program (`command`), or switch a check off (`no_verify`).
    """
    text = text.strip()
    if not text:
        raise BadAddress(f"Write the host's address, for example {EXAMPLE}.")
    if len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise BadAddress(f"An address has at most {LONGEST} letters, digits and signs, and no blanks.")
    if "#" in text:
        raise BadAddress("An address has no # in it.")
    if "[" in text and "%" in text:
        raise BadAddress("An address of one interface (with %) is not taken. Use another one of the host.")
    if text.lower().startswith("lab:"):
        return _simulated(text[4:])
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as wrong:
        raise BadAddress(f"The port or the host of {text} is not valid; write {EXAMPLE}.") from wrong
    return _libvirt(parts, port, sockets)


def compose(transport: str, host: str, *, user: str = "", port: int = 0) -> str:
    """The address of these parts, checked. `transport`: "ssh", "tls" or "tcp". Raises BadAddress."""
    host = host.strip()
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    signed = f"{user}@" if user else ""
    return parse(f"qemu+{transport}://{signed}{name}{f':{port}' if port else ''}/system").text


def for_migration(address: Address) -> str:
    """How other hosts reach this one unless told: the same way, or "" when that is of this machine only."""
    return address.text if address.host else ""


def _simulated(name: str) -> Address:
    if not _SIMULATED.fullmatch(name):
        raise BadAddress("A simulated host's address is lab: and its name, for example lab:hv-01.")
    return Address(text=f"lab:{name}", driver="lab", transport="lab", host=name)


def _libvirt(parts: SplitResult, port: int | None, sockets: bool) -> Address:
    transport = _transport(parts)
    if parts.path != "/system":
        raise BadAddress(
            "The address must end in /system: only the system instance of libvirt has the host's machines."
        )
    socket = _socket(parts, transport, sockets)
    if transport == "unix":
        if parts.netloc:
            raise BadAddress("qemu+unix is this machine and takes no host; use qemu+ssh for another one.")
        text = f"qemu+unix:///system?socket={socket}" if socket else "qemu:///system"
        return Address(text=text, driver="libvirt", transport="unix", socket=socket)
    user, host = _user(parts, transport), _host(parts)
    if port == 0:
        raise BadAddress("A port is a number from 1 to 65535.")
    shown = f"[{host}]" if ":" in host else host
    place = f"{f'{user}@' if user else ''}{shown}{f':{port}' if port else ''}"
    return Address(
        text=f"qemu+{transport}://{place}/system",
        driver="libvirt",
        transport=transport,
        host=host,
        port=port or PORTS[transport],
        user=user,
    )


def _transport(parts: SplitResult) -> str:
    kind, _, transport = parts.scheme.partition("+")
    if kind != "qemu":
        raise BadAddress(
            f"An address begins with qemu+ssh://, qemu+tls:// or qemu+tcp://, for example {EXAMPLE}."
        )
    transport = transport or ("tls" if parts.netloc else "unix")
    if transport not in {*PORTS, "unix"}:
        raise BadAddress(f"qemu+{transport} is not offered. Use qemu+ssh, qemu+tls, or qemu+tcp in a lab.")
    return transport


def _socket(parts: SplitResult, transport: str, allowed: bool) -> str:
    given = parse_qsl(parts.query, keep_blank_values=True)
    if not parts.query:
        return ""
    names = ", ".join(sorted({name for name, _ in given})) or parts.query
    if not (allowed and transport == "unix" and [name for name, _ in given] == ["socket"]):
        raise BadAddress(
            f"The address takes no parameters (here: {names}). Keys and certificates are given apart."
        )
    path = given[0][1]
    if not path.startswith("/") or any(sign in path for sign in "?&#%"):
        raise BadAddress("The socket is a path that begins with /.")
    return path


def _user(parts: SplitResult, transport: str) -> str:
    name, at, _ = parts.netloc.rpartition("@")
    if ":" in name:
        raise BadAddress("An address holds no password. Sign in with an ssh key instead.")
    if not at:
        return ""
    if transport != "ssh":
        raise BadAddress(f"qemu+{transport} signs in no user; leave “{name}@” away.")
    if not _USER.fullmatch(name):
        raise BadAddress(
            f"“{name}” is no user name: letters, digits, dot, dash and underscore, 32 at most, no dash first."
        )
    return name


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host:
        raise BadAddress(f"The host is missing; write its name after the two slashes: {EXAMPLE}.")
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        try:
            return str(IPv6Address(host) if ":" in host else IPv4Address(host))
        except ValueError as wrong:
            raise BadAddress(f"{host} is not a valid IP address.") from wrong
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.removesuffix(".").split(".")):
        raise BadAddress(
            f"“{host}” is no host name: letters, digits and dashes between dots, no dash first or last."
        )
    return host
