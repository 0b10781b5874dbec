"""A VM's definition on a host: read, define, undefine, change settings."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping

import libvirt

from clustermgr import ports
from clustermgr.drivers.contract import ConfigReading, Refused
from clustermgr.drivers.libvirt.xml import settings
from clustermgr.drivers.libvirt.xml import stamp as stamps
from clustermgr.drivers.libvirt.xml.fingerprint import STAMP_NAMESPACE, fingerprint
from clustermgr.drivers.libvirt.xml.patch import patch_settings

INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
NOW, NEXT_START = "now", "next_start"
BALLOON_WAIT_S, BALLOON_LOOK_S = 1.5, 0.1


def find(handle: libvirt.virConnect, uuid: str) -> libvirt.virDomain:
    return handle.lookupByUUIDString(uuid)


def look_up(handle: libvirt.virConnect, uuid: str) -> libvirt.virDomain | None:
    """None when the host knows no such VM."""
    try:
        return find(handle, uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def read_config(
    handle: libvirt.virConnect, uuid: str, disk_facts: Callable[[str], settings.DiskFacts]
) -> ConfigReading:
    """SECURE: without it a redefine would drop graphics passwords."""
    domain = find(handle, uuid)
    saved = domain.XMLDesc(INACTIVE)
    autostart = bool(domain.isPersistent() and domain.autostart())
    running = domain.XMLDesc(0) if domain.isActive() else None
    read = settings.parse_settings
    return ConfigReading(
        uuid=uuid,
        definition=saved,
        fingerprint=fingerprint(saved),
        saved=read(saved, autostart=autostart, disk_facts=disk_facts),
        running=None if running is None else read(running, autostart=autostart, disk_facts=disk_facts),
        stamp=stamps.read(saved),
        running_stamp=None if running is None else stamps.read(running),
    )


def define(handle: libvirt.virConnect, definition: str, stamp: str = "") -> None:
    domain = handle.defineXML(stamps.with_stamp(definition, stamp) if stamp else definition)
    if domain.autostart():
        domain.setAutostart(0)


def stamp(handle: libvirt.virConnect, uuid: str, text: str) -> None:
    """On the process and on the definition, whichever there are. libvirt keeps all else."""
    domain = find(handle, uuid)
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0
    flags |= libvirt.VIR_DOMAIN_AFFECT_CONFIG if domain.isPersistent() else 0
    element = stamps.element(text) if text else None
    kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    try:
        domain.setMetadata(kind, element, stamps.KEY, STAMP_NAMESPACE, flags)
    except libvirt.libvirtError as error:
        # Taking away what is not there is no error of ours.
        if text or error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            raise


def forbid_autostart(handle: libvirt.virConnect, uuid: str) -> None:
    domain = find(handle, uuid)
    if domain.isPersistent() and domain.autostart():
        domain.setAutostart(0)


def undefine(handle: libvirt.virConnect, uuid: str) -> None:
    domain = look_up(handle, uuid)
    if domain is None or not domain.isPersistent():
        return
    keep_tpm = getattr(libvirt, "VIR_DOMAIN_UNDEFINE_KEEP_TPM", 0)
    try:
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | keep_tpm)
    except libvirt.libvirtError as error:
        # Hosts before libvirt 8.9 do not know KEEP_TPM, and keep TPM state in any case.
        if not keep_tpm or error.get_error_code() != libvirt.VIR_ERR_INVALID_ARG:
            raise
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)


def apply_settings(handle: libvirt.virConnect, uuid: str, changes: Mapping[str, object]) -> dict[str, str]:
    """First the definition, as a whole or not at all; then what a running VM takes at once."""
    domain = find(handle, uuid)
    if not domain.isPersistent():
        raise Refused("This host has no saved configuration of the virtual machine yet.")
    patched = patch_settings(domain.XMLDesc(INACTIVE), changes)
    _check_limits(handle, changes, ET.fromstring(patched).get("type", "qemu"))
    handle.defineXML(patched)
    if not domain.isActive():
        return dict.fromkeys(changes, NOW)
    return {field: NOW if LIVE[field](domain, value) else NEXT_START for field, value in changes.items()}


def _check_limits(handle: libvirt.virConnect, changes: Mapping[str, object], kind: str) -> None:
    memory, vcpus = changes.get("memory_mib"), changes.get("vcpus")
    host_mib = handle.getInfo()[1]
    if isinstance(memory, int) and memory > host_mib:
        raise Refused(f"Memory must not exceed the host's {host_mib} MiB.")
    if isinstance(vcpus, int) and vcpus > (most := handle.getMaxVcpus(kind)):
        raise Refused(f"There can be at most {most} virtual processors on this host.")


def _notes_now(domain: libvirt.virDomain, value: object) -> bool:
    live = libvirt.VIR_DOMAIN_AFFECT_LIVE
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, str(value or "") or None, None, None, live)
    return True


def _vcpus_now(domain: libvirt.virDomain, value: object) -> bool:
    live = ET.fromstring(domain.XMLDesc(0))
    if settings.vcpus(live) == value:
        return True
    if not isinstance(value, int) or value > domain.maxVcpus():
        return False
    return _accepted(lambda: domain.setVcpusFlags(value, libvirt.VIR_DOMAIN_AFFECT_LIVE))


def _memory_now(domain: libvirt.virDomain, value: object) -> bool:
    """Through the balloon, if the guest has a driver for it: libvirt accepts the order either way."""
    _state, most, before = domain.info()[:3]
    wanted = int(str(value)) * 1024
    if wanted == before:
        return True
    if wanted > most:
        return False
    live = libvirt.VIR_DOMAIN_AFFECT_LIVE
    if not _accepted(lambda: domain.setMemoryFlags(wanted, live)):
        return False
    if _moves(domain, before):
        return True
    _accepted(lambda: domain.setMemoryFlags(before, live))  # or a driver that loads later would obey
    return False


def _moves(domain: libvirt.virDomain, before: int) -> bool:
    until = ports.clock().monotonic() + BALLOON_WAIT_S
    while ports.clock().monotonic() < until:
        if domain.info()[2] != before:
            return True
        ports.clock().sleep(BALLOON_LOOK_S)
    return False


def _accepted(call: Callable[[], object]) -> bool:
    try:
        call()
    except libvirt.libvirtError:
        return False
    return True


LIVE: dict[str, Callable[[libvirt.virDomain, object], bool]] = {
    "memory_mib": _memory_now,
    "vcpus": _vcpus_now,
    "notes": _notes_now,
}
