"""Pools as volumes, and files on them. All through libvirt: nothing of ours runs on a host."""

from __future__ import annotations

import hashlib
import posixpath
import xml.etree.ElementTree as ET
from collections.abc import Callable
from xml.sax.saxutils import escape

import libvirt

from clustermgr.drivers.contract import Busy, Failed, Refused, VolumeSight
from clustermgr.drivers.libvirt import markers
from clustermgr.drivers.libvirt.errors import is_lost
from clustermgr.drivers.libvirt.xml.settings import DiskFacts

MIB = 1 << 20
SHARED_BY_NATURE = frozenset({"netfs", "gluster", "rbd"})  # a folder or a volume group may be either
OWN_POOL = "clustermgr-"  # transient pools over a folder; not shown as volumes


def volumes(handle: libvirt.virConnect) -> list[VolumeSight]:
    found = (_sight(pool) for pool in handle.listAllStoragePools(0) if not pool.name().startswith(OWN_POOL))
    return sorted(found, key=lambda volume: volume.name)


def _sight(pool: libvirt.virStoragePool) -> VolumeSight:
    active = bool(pool.isActive())
    reachable = active and _refreshed(pool)
    root = ET.fromstring(pool.XMLDesc(0))
    _state, capacity, used, _available = pool.info() if reachable else (0, 0, 0, 0)
    form = root.find("source/format")
    return VolumeSight(
        name=pool.name(),
        kind="csv" if root.get("type") in SHARED_BY_NATURE else "",
        path=root.findtext("target/path", ""),
        active=bool(active and pool.isActive()),  # a refresh that fails ends the pool
        reachable=reachable,
        capacity_bytes=capacity,
        used_bytes=used,
        file_system="" if form is None else form.get("type", ""),
        markers=markers.listed(pool) if reachable and root.get("type") in markers.WITH_FILES else (),
    )


def _refreshed(pool: libvirt.virStoragePool) -> bool:
    """Figures are those of the last refresh, and only a refresh notices that the storage has gone."""
    try:
        pool.refresh(0)
    except libvirt.libvirtError as error:
        return _busy(error)
    return True


def _busy(error: libvirt.libvirtError) -> bool:
    """A pool that is busy with a volume refuses to be refreshed, and is well."""
    return bool(error.get_error_code() == libvirt.VIR_ERR_INTERNAL_ERROR and "asynchronous" in str(error))


def activate(handle: libvirt.virConnect, name: str) -> None:
    pool = handle.storagePoolLookupByName(name)
    if not pool.isActive():
        pool.create(0)


def deactivate(handle: libvirt.virConnect, name: str) -> None:
    """libvirt stops a pool whatever uses it, so look first."""
    pool = handle.storagePoolLookupByName(name)
    if not pool.isActive():
        return
    folder = ET.fromstring(pool.XMLDesc(0)).findtext("target/path", "")
    users = [domain.name() for domain in _running(handle) if _uses(domain, name, folder)]
    if users:
        raise Refused(f"In use on this host by: {', '.join(sorted(users))}.")
    pool.destroy()


def _running(handle: libvirt.virConnect) -> list[libvirt.virDomain]:
    return list(handle.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE))


def _uses(domain: libvirt.virDomain, pool: str, folder: str) -> bool:
    for source in ET.fromstring(domain.XMLDesc(0)).iterfind("devices/disk/source"):
        path = source.get("file") or source.get("dev") or ""
        if source.get("pool") == pool or (folder and path.startswith(folder.rstrip("/") + "/")):
            return True
    return False


def targets(handle: libvirt.virConnect) -> dict[str, str]:
    """Folder -> name of each pool that has one; the longest folders first."""
    found = {}
    for pool in handle.listAllStoragePools(0):
        folder = ET.fromstring(pool.XMLDesc(0)).findtext("target/path", "")
        if folder and not pool.name().startswith(OWN_POOL):
            found[folder.rstrip("/")] = pool.name()
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def disk_facts(handle: libvirt.virConnect, folders: dict[str, str]) -> Callable[[str], DiskFacts]:
    """Volume and size of a disk. The size comes from the pool, not from QEMU, which may hang."""

    def look(path: str) -> DiskFacts:
        name = next((name for folder, name in folders.items() if path.startswith(folder + "/")), "")
        try:
            return DiskFacts(name, handle.storageVolLookupByPath(path).info()[1] // MIB)
        except libvirt.libvirtError:
            return DiskFacts(name)

    return look


def folder_pool(handle: libvirt.virConnect, path: str, *, build: bool = False) -> libvirt.virStoragePool:
    """A directory pool over the folder of `path`: one that is there, else a transient one of our own.

    Ours stays until the daemon restarts: two calls in one folder would take it from each other, and libvirt
    allows one pool per folder. `build` makes a missing folder.
    """
    folder = posixpath.dirname(path)
    existing = targets(handle).get(folder)
    if existing:
        pool = handle.storagePoolLookupByName(existing)
        if not pool.isActive():
            raise Refused(f"The volume {existing} is not active on this host.")
        return pool
    name = OWN_POOL + hashlib.sha256(folder.encode()).hexdigest()[:12]
    own = _own_pool(handle, name)
    if own is not None:
        return own
    xml = f"<pool type='dir'><name>{name}</name><target><path>{escape(folder)}</path></target></pool>"
    try:
        return handle.storagePoolCreateXML(xml, libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD if build else 0)
    except libvirt.libvirtError:
        own = _own_pool(handle, name)  # another call may have been quicker
        if own is None:
            raise
        return own


def _own_pool(handle: libvirt.virConnect, name: str) -> libvirt.virStoragePool | None:
    try:
        return handle.storagePoolLookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_POOL:
            return None
        raise


def has_file(handle: libvirt.virConnect, path: str) -> bool:
    return _file(handle, path) is not None


def is_whole(handle: libvirt.virConnect, path: str) -> bool:
    """libvirt marks a file when all of it is written, and refuses to read one without the mark."""
    if not has_file(handle, path):
        return False
    try:
        handle.saveImageGetXMLDesc(path, 0)
    except libvirt.libvirtError as error:
        if is_lost(error):
            raise
        return False
    return True


def delete_file(handle: libvirt.virConnect, path: str) -> None:
    volume = _file(handle, path)
    if volume is not None:
        volume.delete(0)


def _file(handle: libvirt.virConnect, path: str) -> libvirt.virStorageVol | None:
    """Raises Failed where the folder is missing: under a mount that is lost nobody knows what is in it."""
    try:
        return _volume(folder_pool(handle, path), path)
    except libvirt.libvirtError as error:
        if "No such file" not in str(error):
            raise
        folder = posixpath.dirname(path)
        sentence = f"{folder} is not there on this host. See whether its volume is mounted."
        raise Failed(sentence, raw=str(error)) from error


def _volume(pool: libvirt.virStoragePool, path: str) -> libvirt.virStorageVol | None:
    """Another node may have written the file: only a refresh shows it, and only after one it is certainly
    gone. Raises Busy when that is not to be had now."""
    busy = False
    try:
        pool.refresh(0)
    except libvirt.libvirtError as error:
        busy = _busy(error)
        if not busy:
            raise
    try:
        return pool.storageVolLookupByName(posixpath.basename(path))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
            raise
    if busy:
        raise Busy("The volume is busy on this host, so whether the file is there cannot be told now.")
    return None
