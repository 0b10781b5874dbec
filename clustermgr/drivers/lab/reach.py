"""Who answers whom, and what fits where: the checks that come before anything is done."""

from __future__ import annotations

import json

from clustermgr.drivers.contract import AgentDown, DomainState, Failed, HostUnreachable, Refused
from clustermgr.drivers.lab.rows import Copy, Host, Volume
from clustermgr.drivers.lab.tx import Tx


def require_answer(host: Host, now: float, *, on_host: bool = False) -> None:
    """Raise HostUnreachable or AgentDown as a caller sees it; `on_host`: one who stands at the machine."""
    if not host.power:
        raise HostUnreachable(f"{host.name} does not answer: its power is off.")
    if now < host.up_at:
        raise HostUnreachable(f"{host.name} does not answer: it is still starting.")
    if not host.path and not on_host:
        raise HostUnreachable(f"{host.name} does not answer: its management network is cut.")
    if not host.agent:
        raise AgentDown(
            f"{host.name} answers, but its hypervisor daemon does not. Start the daemon on the host."
        )


def linked(a: Host, b: Host, now: float) -> bool:
    """Whether two machines reach each other, daemons aside."""
    return all(host.power and host.path and now >= host.up_at for host in (a, b))


def disk_volumes(definition: str) -> list[str]:
    return sorted({disk["volume"] for disk in json.loads(definition).get("disks", ()) if disk["volume"]})


def check_fits(tx: Tx, host: Host, definition: str, *, memory_mib: int) -> None:
    """Raises Refused when the host lacks something that this VM needs."""
    body = json.loads(definition)
    name = body["name"]
    missing = sorted(set(body.get("cpu_features", ())) - set(host.cpu_features))
    if missing:
        raise Refused(
            f"{host.name} cannot run {name}: its processor lacks {', '.join(missing)}. Choose another host."
        )
    for nic in body.get("nics", ()):
        if nic["network"] not in host.networks:
            raise Refused(
                f"{host.name} cannot run {name}: it has no network called “{nic['network']}”. "
                "Add the network to the host or choose another host."
            )
    for volume in disk_volumes(definition):
        active, reachable = tx.attachment(host.name, volume)
        if not active or not reachable:
            why = "is not active there" if reachable else "cannot be reached from there"
            raise Refused(f"{host.name} cannot run {name}: its volume {volume} {why}.")
    check_memory(tx, host, name, memory_mib)


def check_memory(tx: Tx, host: Host, name: str, memory_mib: int) -> None:
    free = host.memory_mib - used_memory_mib(tx, host.name)
    if memory_mib > free:
        raise Refused(
            f"{host.name} cannot run {name}: it needs {memory_mib} MiB of memory and {free} MiB are free."
        )


def used_memory_mib(tx: Tx, host: str) -> int:
    row = tx.one("SELECT COALESCE(SUM(run_memory_mib), 0) AS used FROM copy WHERE host = ?", host)
    return 0 if row is None else int(row["used"])


def check_image_lock(tx: Tx, copy: Copy, definition: str) -> str:
    """The hypervisor's sentence when another process holds the images of this VM; else empty."""
    disks = [disk for disk in json.loads(definition).get("disks", ()) if not disk["shareable"]]
    locked = [disk for disk in disks if disk["volume"] and tx.volume(disk["volume"]).locks]
    holders = [
        other.host for other in tx.copies_of(copy.uuid) if other.holds_images and other.host != copy.host
    ]
    if not holders or not locked:
        return ""
    tx.record("lock_refused", copy.uuid, [copy.host, *holders])
    return (
        f"{copy.host} could not start {copy.name}: its image {locked[0]['path']} is in use on {holders[0]}."
        " Stop it there first."
    )


def volume_of_path(tx: Tx, host: str, path: str) -> Volume:
    """The volume on which a file lies; raises Refused (no such volume here) or Failed (not reached now)."""
    for volume in tx.volumes():
        if path.startswith(volume.path.rstrip("/") + "/") and ".." not in path.split("/"):
            active, reachable = tx.attachment(host, volume.name)
            if active and reachable:
                return volume
            raise Failed(
                f"{host} cannot reach {volume.name} now. Mend its storage path, or use another host."
            )
    raise Refused(f"{path} does not lie on a volume that {host} knows.")


def describe_state(copy: Copy) -> str:
    words = {
        DomainState.OFF: "is off",
        DomainState.SAVED: "is saved",
        DomainState.CRASHED: "has crashed and is off",
        DomainState.STARTING: "is being started",
        DomainState.STOPPING: "is shutting down",
        DomainState.PAUSED: "is paused",
        DomainState.PAUSED_IO: "is paused by a storage error",
        DomainState.RUNNING: "is running",
    }
    return f"{copy.name} {words[copy.state]} on {copy.host}"
