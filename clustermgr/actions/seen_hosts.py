"""What was seen of nodes: their facts, volumes, networks, figures and state. Writes only what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from clustermgr.actions import reaper
from clustermgr.actions._ledger import Change
from clustermgr.core.health import SILENT_STATES
from clustermgr.core.readings import Facts, Load, VolumeSeen, VolumesSeen
from clustermgr.core.states import Level, NodeState, VolumeKind
from clustermgr.models import Network, Node, Volume, VolumeAccess

#: Figures that moved less than this are not written: 8,000 idle VMs cost nothing.
CPU_STEP = 1.0
MEMORY_STEP = 0.01


def facts(tx: Change, node: Node, found: Facts) -> None:
    values = {
        "host_uuid": found.host_uuid,
        "hypervisor": found.hypervisor[:60],
        "simulated": found.simulated,
        "cpus": found.cpus,
        "memory_mib": found.memory_mib,
        "cpu_model": found.cpu_model[:100],
        "cpu_features": list(found.cpu_features),
        "networks": list(found.networks),
        "capabilities": list(found.capabilities),
    }
    changed = {name: value for name, value in values.items() if getattr(node, name) != value}
    if not changed:
        return
    tx.update(node, **changed)
    if "networks" in changed:
        _networks(node, found.networks)


def _networks(node: Node, names: tuple[str, ...]) -> None:
    for name in names:
        network, _ = Network.objects.get_or_create(cluster_id=node.cluster_id, name=name)
        network.nodes.add(node)
    for network in node.carried_networks.exclude(name__in=names):
        network.nodes.remove(node)


STATE_EVENTS = {
    NodeState.UP: ("node_up", Level.INFO),
    NodeState.JOINING: ("node_joining", Level.INFO),
    NodeState.DOWN: ("node_down", Level.ERROR),
    NodeState.AGENT_DOWN: ("node_agent_down", Level.ERROR),
}


def node_state(tx: Change, node: Node, state: NodeState, reason: str = "") -> None:
    """A node's state as judged now, with its event."""
    values: dict[str, Any] = {"state": state, "state_since": tx.now, "state_reason": reason[:300]}
    if state in SILENT_STATES:
        values |= {"cpu_percent": None, "memory_used_mib": None}
    tx.update(node, observed_at=node.observed_at, **values)
    code, level = STATE_EVENTS[state]
    tx.event(code, level=level, node=node, reason=reason)
    if state == NodeState.JOINING:
        reaper.heard(node)


def volumes(tx: Change, node: Node, found: VolumesSeen) -> None:
    """Which volumes a node sees. One that vanished from its list is no longer reachable there."""
    rows = {row.name: row for row in Volume.objects.filter(cluster=node.cluster_id)}
    access = {row.volume_id: row for row in VolumeAccess.objects.filter(node=node).select_related("volume")}
    for seen in found.volumes:
        row = rows.get(seen.name) or _new_volume(tx, node, seen)
        _volume(tx, node, row, seen)
        _access(tx, node, row, access.pop(row.pk, None), active=seen.active, reachable=seen.reachable)
    for lost in access.values():
        _access(tx, node, lost.volume, lost, active=False, reachable=False)
    if found.trouble:
        tx.event("storage_silent", level=Level.ERROR, node=node, reason=found.trouble)


def _new_volume(tx: Change, node: Node, seen: VolumeSeen) -> Volume:
    # A host that does not know what it has says "": a disk of its own, until somebody declares it shared.
    kind = VolumeKind(seen.kind or VolumeKind.DISK)
    owner = node if kind == VolumeKind.DISK and seen.active else None
    return Volume.objects.create(
        cluster_id=node.cluster_id, name=seen.name, kind=kind, owner=owner, observed_at=tx.now
    )


def _volume(tx: Change, node: Node, row: Volume, seen: VolumeSeen) -> None:
    values: dict[str, object] = {"path": seen.path, "file_system": seen.file_system}
    if seen.reachable and (seen.active or not row.capacity_bytes):
        values["capacity_bytes"] = seen.capacity_bytes
        # A shared file system grows by small steps all the time; a thousandth is what a bar can show.
        if abs(seen.used_bytes - row.used_bytes) * 1000 >= max(1, seen.capacity_bytes):
            values["used_bytes"] = seen.used_bytes
    if seen.active and row.kind == VolumeKind.DISK and row.owner_id != node.pk:
        if not _active_on_owner(row):
            values["owner"] = node
    elif row.kind == VolumeKind.CSV and not (seen.kind or row.declared):
        # Two nodes with one name and one path are no proof: /var/lib/libvirt/images is on every host.
        values |= {"kind": VolumeKind.DISK, "owner": node if seen.active else None}
        tx.event("volume_not_declared", level=Level.WARNING, node=node, volume=row.name)
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    if changed:
        tx.update(row, observed_at=tx.now, **changed)


def _active_on_owner(row: Volume) -> bool:
    return VolumeAccess.objects.filter(volume=row, node=row.owner_id, active=True, reachable=True).exists()


def _access(
    tx: Change, node: Node, volume: Volume, row: VolumeAccess | None, *, active: bool, reachable: bool
) -> None:
    if row is None:
        VolumeAccess.objects.create(
            volume=volume, node=node, active=active, reachable=reachable, observed_at=tx.now
        )
    elif (row.active, row.reachable) == (active, reachable):
        return
    else:
        if row.reachable != reachable:
            code, level = ("volume_found", Level.INFO) if reachable else ("volume_lost", Level.ERROR)
            tx.event(code, level=level, node=node, volume=volume.name)
        VolumeAccess.objects.filter(pk=row.pk).update(active=active, reachable=reachable, observed_at=tx.now)
    tx.touch(volume, node)


def moved(old: float | None, new: float | None, step: float) -> bool:
    """Whether a figure moved enough to be written: by `step`, or to or from unknown."""
    if old is None or new is None:
        return old is not new
    return abs(new - old) >= step


def load_moved(node: Node, found: Load) -> bool:
    """Whether a node's own figures changed visibly."""
    memory_step = max(1.0, node.memory_mib * MEMORY_STEP)
    return moved(node.cpu_percent, found.cpu_percent, CPU_STEP) or moved(
        node.memory_used_mib, found.memory_used_mib, memory_step
    )


def loads(found: Sequence[Load]) -> None:
    for load in found:
        Node.objects.filter(pk=load.node).update(
            cpu_percent=load.cpu_percent, memory_used_mib=load.memory_used_mib
        )


def vm_loads(rows: Sequence[tuple[float | None, int | None, int]]) -> None:
    """(CPU percent, memory in MiB, id of the VM) in one statement's round trip: thousands in a sweep."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE clustermgr_vm SET cpu_percent=%s, memory_used_mib=%s WHERE id=%s", rows)
