"""Markers: empty raw volumes in pools of files, made exclusively. Knows nothing of what they are for."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import libvirt

from clustermgr.drivers.contract import MARKER, SECTOR, Refused, Unsupported

THERE = re.compile(r"already exists|File exists")
WITH_FILES = frozenset({"dir", "fs", "netfs"})


def claim(handle: libvirt.virConnect, volume: str, name: str, nonce: int) -> bool:
    """False when it is there. The daemon knows that from its own list; of what another node made since that
    was refreshed it sees the file first, and at the latest the exclusive open fails."""
    pool = _pool(handle, volume)
    xml = (
        f"<volume><name>{escape(name)}</name><capacity unit='bytes'>{SECTOR + nonce}</capacity>"
        "<allocation>0</allocation><target><format type='raw'/></target></volume>"
    )
    try:
        pool.createXML(xml, 0)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_STORAGE_VOL_EXIST or THERE.search(str(error)):
            return False
        raise
    return True


def found(handle: libvirt.virConnect, volume: str) -> dict[str, int]:
    """Another node may have made one: only a refresh shows it."""
    pool = _pool(handle, volume)
    pool.refresh(0)
    return dict(listed(pool))


def listed(pool: libvirt.virStoragePool) -> tuple[tuple[str, int], ...]:
    """Those of the last refresh. One that is deleted meanwhile is left out."""
    names = sorted(name for name in pool.listVolumes() if name.startswith(MARKER))
    read = ((name, _nonce(pool, name)) for name in names)
    return tuple((name, nonce) for name, nonce in read if nonce is not None)


def _nonce(pool: libvirt.virStoragePool, name: str) -> int | None:
    try:
        size = int(pool.storageVolLookupByName(name).info()[1])
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL or "No such file" in str(error):
            return None
        raise
    return max(-1, size - SECTOR)


def _pool(handle: libvirt.virConnect, volume: str) -> libvirt.virStoragePool:
    pool = handle.storagePoolLookupByName(volume)
    kind = ET.fromstring(pool.XMLDesc(0)).get("type", "")
    if kind not in WITH_FILES:
        raise Unsupported(f"The volume {volume} has no files (it is of the type {kind}).")
    if not pool.isActive():
        raise Refused(f"The volume {volume} is not active on this host.")
    return pool
