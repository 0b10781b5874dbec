"""A simulated VM's definition: complete JSON text, and what can be read from it. Pure."""

from __future__ import annotations

import hashlib
import json
import uuid as uuids
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from clustermgr.drivers.contract import DiskSetting, NicSetting, Refused, VmSettings

_NAMESPACE = uuids.uuid5(uuids.NAMESPACE_DNS, "simulated.clustermgr")
#: The manager's stamp is no part of what the VM is, so it changes no fingerprint.
_STAMP = "stamp"
_FILLED_IN_BY_HOST = ("emulator", "machine", _STAMP)
_EMULATOR = {"emulator": "/usr/bin/simulated-vm", "machine": "sim-1.0"}
MEMORY_FLOOR_MIB = 16
NOTES_LIMIT = 4000


def vm_uuid(name: str) -> str:
    """The UUID that the builders give a VM of this name."""
    return str(uuids.uuid5(_NAMESPACE, f"vm/{name}"))


def host_uuid(name: str) -> str:
    return str(uuids.uuid5(_NAMESPACE, f"host/{name}"))


def mac_of(uuid: str, number: int = 0) -> str:
    digest = hashlib.sha256(f"{uuid}/{number}".encode()).hexdigest()
    return f"52:54:00:{digest[0:2]}:{digest[2:4]}:{digest[4:6]}"


def compose(
    *,
    name: str,
    memory_mib: int,
    vcpus: int,
    uuid: str = "",
    notes: str = "",
    disks: Iterable[DiskSetting] = (),
    networks: Iterable[str] = (),
    firmware: str = "bios",
    cpu_features: Iterable[str] = (),
) -> str:
    """A definition; the UUID follows from the name when none is given."""
    identity = uuid or vm_uuid(name)
    body = {
        "uuid": identity,
        "name": name,
        "memory_mib": memory_mib,
        "vcpus": vcpus,
        "notes": notes,
        "firmware": firmware,
        "cpu_features": sorted(cpu_features),
        "disks": [asdict(disk) for disk in disks],
        "nics": [{"mac": mac_of(identity, i), "network": network} for i, network in enumerate(networks)],
    }
    return json.dumps(body, sort_keys=True)


def parse(text: str) -> dict[str, Any]:
    """Raises Refused when the text is no definition of a simulated VM."""
    try:
        body = json.loads(text)
        uuids.UUID(body["uuid"])
        _settings(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            "This is not a definition of a simulated VM. Read it again from the host that has the VM.",
            raw=repr(error),
        ) from error
    checked: dict[str, Any] = body
    return checked


def filled_in(text: str) -> str:
    """The definition as a host keeps it, with what the host adds by itself."""
    body = parse(text)
    body["uuid"] = str(uuids.UUID(body["uuid"]))
    return json.dumps({**body, **_EMULATOR}, sort_keys=True)


def fingerprint(text: str) -> str:
    """Equal for definitions that differ only in what a host fills in."""
    body = {key: value for key, value in json.loads(text).items() if key not in _FILLED_IN_BY_HOST}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def stamp_of(text: str) -> str:
    return str(json.loads(text).get(_STAMP, ""))


def with_stamp(text: str, stamp: str) -> str:
    """The definition with this stamp, or without one ("")."""
    body = {key: value for key, value in json.loads(text).items() if key != _STAMP}
    return json.dumps({**body, _STAMP: stamp} if stamp else body, sort_keys=True)


def settings_of(text: str, *, autostart: bool = False) -> VmSettings:
    return _settings(json.loads(text), autostart=autostart)


def with_changes(text: str, changes: Mapping[str, object]) -> str:
    return json.dumps({**json.loads(text), **changes}, sort_keys=True)


def check_changes(changes: Mapping[str, object], *, host: str, cpus: int, memory_mib: int) -> None:
    """Raises Refused, with the rule and the limit, for the first field that is not possible."""
    for field, value in changes.items():
        if field == "memory_mib":
            _check_number("Memory", value, MEMORY_FLOOR_MIB, memory_mib, " MiB", host)
        elif field == "vcpus":
            _check_number("Processors", value, 1, cpus, "", host)
        elif field == "notes":
            _check_notes(value)
        else:
            raise Refused(f"“{field}” cannot be changed here. Memory, processors and notes can.")


def _check_number(label: str, value: object, least: int, most: int, unit: str, host: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refused(
            f"{label} must be a whole number from {least}{unit} to {most}{unit}, which is what {host} has."
        )


def _check_notes(value: object) -> None:
    if not isinstance(value, str) or len(value) > NOTES_LIMIT:
        raise Refused(f"Notes must be text of at most {NOTES_LIMIT} characters.")
    if any(ord(letter) < 32 and letter not in "\n\r\t" for letter in value):
        raise Refused("Notes must not contain control characters.")


def _settings(body: dict[str, Any], *, autostart: bool = False) -> VmSettings:
    return VmSettings(
        name=str(body["name"]),
        memory_mib=int(body["memory_mib"]),
        vcpus=int(body["vcpus"]),
        notes=str(body.get("notes", "")),
        disks=tuple(DiskSetting(**disk) for disk in body.get("disks", ())),
        nics=tuple(NicSetting(**nic) for nic in body.get("nics", ())),
        firmware=str(body.get("firmware", "bios")),
        autostart=autostart,
    )
