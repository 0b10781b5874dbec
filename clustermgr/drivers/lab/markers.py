"""Markers on simulated volumes: files that take no room. On a host where the volume is not mounted they lie
in the empty folder under it, which is that host's own."""

from __future__ import annotations

from clustermgr.drivers.contract import MARKER, SECTOR, Failed, Refused
from clustermgr.drivers.lab.rows import Volume
from clustermgr.drivers.lab.tx import Tx


def claim(tx: Tx, host: str, volume: str, name: str, nonce: int) -> bool:
    """False when there is one of that name. Raises NotFound, Refused, Failed."""
    root = _root(tx, host, _usable(tx, host, volume))
    if tx.file(root + name) is not None:
        return False
    # Of no volume, since it takes no room there.
    sql = "INSERT INTO file (path, volume, uuid, name, definition, size, complete)"
    tx.run(sql + " VALUES (?, '', '', ?, '', ?, 0)", root + name, name, SECTOR + nonce)
    return True


def found(tx: Tx, host: str, volume: str) -> dict[str, int]:
    """Raises NotFound, Refused, Failed."""
    return dict(listed(tx, host, _usable(tx, host, volume)))


def listed(tx: Tx, host: str, volume: Volume) -> tuple[tuple[str, int], ...]:
    root = _root(tx, host, volume) + MARKER
    sql = "SELECT name, size FROM file WHERE uuid = '' AND substr(path, 1, ?) = ? ORDER BY name"
    return tuple((row["name"], row["size"] - SECTOR) for row in tx.all(sql, len(root), root))


def local_path(tx: Tx, host: str, volume: Volume, path: str) -> str:
    """Under which path a file is known that this host has at `path`."""
    return path if tx.is_mounted(host, volume.name) else f"{host}:{path}"


def _root(tx: Tx, host: str, volume: Volume) -> str:
    return local_path(tx, host, volume, volume.path.rstrip("/") + "/")


def _usable(tx: Tx, host: str, volume: str) -> Volume:
    known = tx.volume(volume)
    active, reachable = tx.attachment(host, volume)
    if not active:
        raise Refused(f"The volume {volume} is not active on {host}.")
    if not reachable:
        raise Failed(f"{host} cannot reach {volume} now. Mend its storage path, or use another host.")
    return known
