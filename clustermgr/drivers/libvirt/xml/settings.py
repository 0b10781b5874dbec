"""Reads the settings that our forms understand out of domain XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

from clustermgr.drivers.contract import DiskSetting, NicSetting, VmSettings

UNITS = {
    "b": 1, "bytes": 1, "KB": 10**3, "k": 2**10, "KiB": 2**10, "MB": 10**6, "M": 2**20, "MiB": 2**20,
    "GB": 10**9, "G": 2**30, "GiB": 2**30, "TB": 10**12, "T": 2**40, "TiB": 2**40,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """What the definition does not say about a disk."""

    volume: str = ""
    size_mib: int = 0


def parse_settings(
    definition: str,
    *,
    autostart: bool = False,
    disk_facts: Callable[[str], DiskFacts] = lambda path: DiskFacts(),
) -> VmSettings:
    """`disk_facts`: volume and size of a disk by its path."""
    root = ET.fromstring(definition)
    return VmSettings(
        name=root.findtext("name", ""),
        memory_mib=memory_mib(root),
        vcpus=vcpus(root),
        notes=root.findtext("description", ""),
        disks=tuple(_disk(disk, disk_facts) for disk in root.iterfind("devices/disk") if _is_storage(disk)),
        nics=tuple(_nic(nic) for nic in root.iterfind("devices/interface")),
        firmware=_firmware(root),
        autostart=autostart,
    )


def memory_mib(root: ET.Element) -> int:
    """What the guest has (`currentMemory`), not what it could be given (`memory`)."""
    element = root.find("currentMemory")
    if element is None:
        element = root.find("memory")
    return 0 if element is None else kib(element) // 1024


def kib(element: ET.Element) -> int:
    return int(element.text or 0) * UNITS[element.get("unit", "KiB")] // 1024


def vcpus(root: ET.Element) -> int:
    element = root.find("vcpu")
    return 1 if element is None else int(element.get("current") or element.text or 1)


def _is_storage(disk: ET.Element) -> bool:
    return disk.get("device", "disk") in ("disk", "lun") and disk.find("source") is not None


def _disk(disk: ET.Element, disk_facts: Callable[[str], DiskFacts]) -> DiskSetting:
    path, target = disk_path(disk), disk.find("target")
    facts = disk_facts(path)
    source = disk.find("source")
    pool = "" if source is None else source.get("pool", "")
    return DiskSetting(
        path=path,
        volume=pool or facts.volume,
        bus="" if target is None else target.get("bus", ""),
        size_mib=facts.size_mib,
        shareable=disk.find("shareable") is not None,
    )


def disk_path(disk: ET.Element) -> str:
    """A path for files and devices, `pool/volume` for pool disks, `rbd:pool/image` for network disks."""
    source = disk.find("source")
    if source is None:
        return ""
    if disk.get("type") == "volume":
        return f"{source.get('pool', '')}/{source.get('volume', '')}"
    if disk.get("type") == "network":
        return f"{source.get('protocol', '')}:{source.get('name', '')}"
    return source.get("file") or source.get("dev") or source.get("dir") or ""


def _nic(nic: ET.Element) -> NicSetting:
    mac, source = nic.find("mac"), nic.find("source")
    where = {} if source is None else source.attrib
    return NicSetting(
        mac="" if mac is None else mac.get("address", ""),
        network=where.get("network") or where.get("bridge") or where.get("dev") or "",
    )


def _firmware(root: ET.Element) -> str:
    system, loader = root.find("os"), root.find("os/loader")
    named = system is not None and system.get("firmware") == "efi"
    return "uefi" if named or (loader is not None and loader.get("type") == "pflash") else "bios"
