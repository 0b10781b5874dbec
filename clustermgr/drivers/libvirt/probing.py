"""A first look at a host: what it offers before anybody signs in, and what is missing once somebody did."""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address

import libvirt

from clustermgr.core.addresses import Address
from clustermgr.drivers.contract import Credentials, DriverError, Probe, ProbeFinding, Refused
from clustermgr.drivers.libvirt import host, reach, signin, storage
from clustermgr.drivers.libvirt.connection import Connection
from clustermgr.drivers.libvirt.refusals import CHANGED_KEY

#: As in Debian 11; older ones lack job figures and migration parameters that moves are watched by.
OLDEST_LIBVIRT, OLDEST_QEMU = 7_000_000, 5_002_000
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
COMPARE = (
    "Compare it with what the host's own console shows, and confirm it:"
    " ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
)
#: UUIDs that mainboards share when nobody set one.
PLACEHOLDERS = frozenset(
    {
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "03000200-0400-0500-0006-000700080009",
        "12345678-1234-5678-90ab-cddeefaabbcc",
    }
)


def probe(text: str, credentials: Credentials, deadline: float) -> Probe:
    """See `registry.probe`. Raises DriverError only for what comes before the host keys."""
    address = signin.read_address(text)
    if address.host:
        reach.check(address.text, deadline)
    found = Probe()
    if address.transport == "tcp":
        found = found.found(
            "warning",
            "The connection is not encrypted, and anybody who reaches the port rules the host.",
            "Use qemu+tcp only in a lab; use qemu+ssh or qemu+tls otherwise.",
        )
    if address.pins_host_key:
        found = Probe(host_keys=offered_keys(address, deadline), findings=found.findings)
        if not credentials.host_key.strip():
            return found.found("error", "The host's key is not confirmed yet.", COMPARE)
    try:
        if address.pins_host_key and not _is_pinned(found.host_keys, credentials.host_key):
            raise Refused(CHANGED_KEY)
        return _inside(found, signin.uri_for(text, credentials), address, deadline)
    except DriverError as error:
        return found.found("error", error.sentence)


def _is_pinned(offered: tuple[str, ...], pinned: str) -> bool:
    """Raises Refused when what was pinned is no key."""
    return bool({signin.plain(line.strip()) for line in pinned.splitlines() if line.strip()} & set(offered))


def offered_keys(address: Address, deadline: float) -> tuple[str, ...]:
    """The host's ssh keys, best first, without signing in. Raises Refused when none is shown in time."""
    program = shutil.which("ssh-keyscan")
    if program is None:
        raise Refused("The program ssh-keyscan is missing on the manager's machine. Install openssh-client.")
    seconds = max(1, math.ceil(deadline))
    words = ["-T", str(seconds), "-p", str(address.port), "-t", "ed25519,ecdsa,rsa", "--", address.host]
    try:
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * seconds,
            check=False,
        )
        shown = keys_of(done.stdout)
    except subprocess.TimeoutExpired:
        shown = ()
    if not shown:
        raise Refused(
            f"Port {address.port} of {address.host} showed no ssh host key within {seconds} s. Check that an"
            " ssh daemon listens there and lets the manager's machine in."
        )
    return shown


def keys_of(scanned: str) -> tuple[str, ...]:
    """The keys in ssh-keyscan's output, without host name, best first."""
    lines = [line.split()[1:3] for line in scanned.splitlines() if line and not line.startswith("#")]
    keys = {words[0]: words[1] for words in lines if len(words) == 2}
    return tuple(f"{kind} {keys[kind]}" for kind in KEY_TYPES if kind in keys)


def _inside(found: Probe, uri: str, address: Address, deadline: float) -> Probe:
    connection = Connection(uri, deadline)
    try:
        facts = connection.call("describe itself", host.facts)
        volumes = connection.call("list its volumes", storage.volumes)
        vms = connection.call("list its virtual machines", lambda handle: len(handle.listAllDomains()))
        seen = connection.call("describe its abilities", lambda handle: tuple(lacks(handle)))
    finally:
        connection.close()
    shown = (
        *found.findings,
        *seen,
        *names(facts.hostname, facts.host_uuid, address),
        *pools({volume.name: volume.active for volume in volumes}),
    )
    return Probe(found.host_keys, shown, facts, tuple(volumes), vms)


def lacks(handle: libvirt.virConnect) -> Iterator[ProbeFinding]:
    """Versions, and whether guests run at full speed."""
    library, hypervisor = handle.getLibVersion(), handle.getVersion()
    yield from versions(handle.getType(), library, hypervisor)
    try:
        handle.getDomainCapabilities(None, None, None, "kvm", 0)
    except libvirt.libvirtError:
        yield ProbeFinding(
            "warning",
            "The host offers no KVM: its virtual machines run in slow software emulation.",
            "Switch virtualisation on in its firmware, and see that /dev/kvm exists.",
        )


def versions(kind: str, library: int, hypervisor: int) -> Iterator[ProbeFinding]:
    if kind != "QEMU":
        yield ProbeFinding("error", f"This is {kind}, not QEMU.", "Only QEMU/KVM hosts can be nodes.")
        return
    said = f"libvirt {host.version(library)} with QEMU {host.version(hypervisor)}"
    if library < OLDEST_LIBVIRT or hypervisor < OLDEST_QEMU:
        least = f"libvirt {host.version(OLDEST_LIBVIRT)} and QEMU {host.version(OLDEST_QEMU)}"
        yield ProbeFinding(
            "error", f"The host runs {said}, which is too old.", f"Bring it to at least {least}."
        )
    else:
        yield ProbeFinding("ok", f"The daemon answers: {said}.")


def names(hostname: str, host_uuid: str, address: Address) -> Iterator[ProbeFinding]:
    """What the host calls itself: other hosts send their machines there."""
    if hostname.partition(".")[0] == "localhost" or (address.host and _is_loopback(hostname)):
        yield ProbeFinding(
            "warning",
            f"The host calls itself {hostname}, which means itself: no VM can move to it.",
            "Give it a name that all hosts resolve, or set migration_host in its /etc/libvirt/qemu.conf.",
        )
    if not host_uuid or host_uuid in PLACEHOLDERS:
        yield ProbeFinding(
            "error",
            f"The host's UUID is a placeholder ({host_uuid or 'empty'}): hosts could not be told apart.",
            "Set host_uuid in its /etc/libvirt/libvirtd.conf (or virtqemud.conf) and restart the daemon.",
        )


def pools(active: dict[str, bool]) -> Iterator[ProbeFinding]:
    if not any(active.values()):
        yield ProbeFinding(
            "warning",
            "The host has no active storage pool.",
            "Define and start one for each volume of the cluster: virsh pool-define, virsh pool-start.",
        )
        return
    off = sorted(name for name, running in active.items() if not running)
    if off:
        yield ProbeFinding(
            "warning",
            f"Not active: {', '.join(off)}.",
            "A CSV must be active on every node; a cluster disk on one node only.",
        )


def _is_loopback(hostname: str) -> bool:
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(hostname, None)}
    except OSError:
        return False  # the manager need not know it; the hosts must
    return any(ip_address(str(text).partition("%")[0]).is_loopback for text in found)
