"""How a VM's configuration on its host differs from the cluster's copy: field by field, three ways.

Compares settings. Of the rest of a definition, which only its host understands, the fingerprint says that it
changed; that is the field "other", shown when nothing else differs. Ignored as cosmetic: order of disks and
networks, letter case of MAC addresses, blanks around notes, and figures that one side does not know (a disk's
size or volume).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clustermgr.core.readings import Settings
from clustermgr.core.words import memory

#: Field -> label, in the order of the report. The names are the keys of the settings.
OTHER = "other"
FIELDS = {
    "name": "Name",
    "memory_mib": "Memory",
    "vcpus": "Processors",
    "notes": "Notes",
    "disks": "Disks",
    "nics": "Networks",
    "autostart": "Start with the host",
    OTHER: "Other settings",
}
#: What a running VM cannot show: compared between the cluster's copy and the host's saved one only.
NOT_RUNNING = frozenset({"name", "notes", "autostart"})


class Bucket(StrEnum):
    CHANGED_OUTSIDE = "changed_outside"  # the host's copy differs, and the VM runs with one of the two values
    RESTART_PENDING = "restart_pending"  # both copies agree, the VM still runs with another value
    CONFLICT = "conflict"  # all three differ


@dataclass(frozen=True, slots=True)
class Difference:
    """One field. `running` is None while the VM has no process, or where it has no such field."""

    field: str
    cluster: Any
    host: Any
    running: Any
    bucket: Bucket

    def as_row(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "cluster": self.cluster,
            "host": self.host,
            "running": self.running,
            "bucket": self.bucket.value,
        }


def compare(
    cluster: Settings, host: Settings, running: Settings | None, fingerprints: tuple[str, str] = ("", "")
) -> list[Difference]:
    """Every field that is not in step, with its bucket; an empty list when all three agree.

    fingerprints -- of the cluster's definition and of the host's; "" is not known and differs from nothing.
    """
    found = []
    for name in (each for each in FIELDS if each != OTHER):
        ours, theirs = cluster.get(name), host.get(name)
        now = None if running is None or name in NOT_RUNNING else running.get(name)
        bucket = _bucket(name, ours, theirs, now)
        if bucket is not None:
            found.append(Difference(name, ours, theirs, now, bucket))
    if not drifted(found) and all(fingerprints) and len(set(fingerprints)) > 1:
        found.append(Difference(OTHER, "as agreed", "not as agreed", None, Bucket.CHANGED_OUTSIDE))
    return found


def drifted(differences: Iterable[Difference]) -> list[Difference]:
    """Those that make a VM drift: a value that only waits for a restart is no drift."""
    return [each for each in differences if each.bucket != Bucket.RESTART_PENDING]


def pending(cluster: Settings, host: Settings, running: Settings | None) -> dict[str, Any]:
    """{field: what the VM still runs with} where both copies agree on something else: it counts at its next
    start. Nothing while the VM has no process."""
    found = compare(cluster, host, running)
    return {each.field: each.running for each in found if each.bucket == Bucket.RESTART_PENDING}


def _bucket(name: str, cluster: Any, host: Any, running: Any) -> Bucket | None:
    if _same(name, cluster, host):
        pending = running is not None and not _same(name, host, running)
        return Bucket.RESTART_PENDING if pending else None
    if running is None or _same(name, running, host) or _same(name, running, cluster):
        return Bucket.CHANGED_OUTSIDE
    return Bucket.CONFLICT


def _same(name: str, one: Any, other: Any) -> bool:
    if name == "notes":
        return (one or "").strip() == (other or "").strip()
    if name == "disks":
        return _same_disks(_by(one, "path"), _by(other, "path"))
    if name == "nics":
        return _macs(one) == _macs(other)
    return bool(one == other)


def _by(items: Iterable[Mapping[str, Any]] | None, key: str) -> dict[str, Mapping[str, Any]]:
    return {str(item.get(key, "")): item for item in items or ()}


def _same_disks(one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> bool:
    if one.keys() != other.keys():
        return False
    for path, disk in one.items():
        twin = other[path]
        if (disk.get("bus"), bool(disk.get("shareable"))) != (twin.get("bus"), bool(twin.get("shareable"))):
            return False
        for known in ("volume", "size_mib"):
            if disk.get(known) and twin.get(known) and disk[known] != twin[known]:
                return False
    return True


def _macs(items: Iterable[Mapping[str, Any]] | None) -> list[tuple[str, str]]:
    return sorted((str(nic.get("mac", "")).lower(), str(nic.get("network", ""))) for nic in items or ())


def text(name: str, value: Any) -> str:
    """A field's value in words, for the report."""
    if value is None:
        return "–"
    if name == "memory_mib":
        return memory(value)
    if name == "autostart":
        return "yes" if value else "no"
    if name == "disks":
        return "\n".join(_disk(disk) for disk in value) or "none"
    if name == "nics":
        return (
            "\n".join(f"{nic.get('network') or 'not connected'} ({nic.get('mac')})" for nic in value)
            or "none"
        )
    return str(value) or "empty"


def _disk(disk: Mapping[str, Any]) -> str:
    size = f", {memory(disk['size_mib'])}" if disk.get("size_mib") else ""
    shared = ", shareable" if disk.get("shareable") else ""
    return f"{disk.get('path')} ({disk.get('bus')}{size}{shared})"
