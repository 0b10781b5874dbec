"""The simulated hosts as they really are, as plain values: for labctl and the host console."""

from __future__ import annotations

import json
from typing import Any

from clustermgr.drivers.lab import definition as definitions
from clustermgr.drivers.lab.rows import Copy, Host
from clustermgr.drivers.lab.sights import volumes
from clustermgr.drivers.lab.tx import Tx
from clustermgr.drivers.lab.world import World


def overview(world: World) -> list[dict[str, Any]]:
    """Every host with its VMs and volumes."""
    with world.read() as tx:
        return [_node(tx, host) for host in tx.hosts()]


def node(world: World, name: str) -> dict[str, Any]:
    """One host with its VMs and volumes. Raises NotFound."""
    with world.read() as tx:
        return _node(tx, tx.host(name))


def vm(world: World, node_name: str, uuid: str) -> dict[str, Any]:
    """One VM on one host, with its pace and the host's last complaint about it. Raises NotFound."""
    with world.read() as tx:
        guest = tx.guest(uuid)
        sql = "SELECT reason FROM work WHERE host = ? AND uuid = ? AND state = 'failed'"
        row = tx.one(sql + " ORDER BY id DESC LIMIT 1", node_name, uuid)
        return {
            **_vm(tx.copy(node_name, uuid)),
            "dirty_mib_s": guest.dirty_mib_s,
            "hung": guest.hung,
            "complaint": "" if row is None else row["reason"],
        }


def host_state(host: Host, now: float) -> str:
    """One word or two: off, starting, cut off, daemon stopped, hangs, up."""
    if not host.power:
        return "off"
    if now < host.up_at:
        return "starting"
    if not host.agent:
        return "daemon stopped"
    if not host.path:
        return "cut off"
    return "hangs" if host.hangs else "up"


def _node(tx: Tx, host: Host) -> dict[str, Any]:
    return {
        "name": host.name,
        "state": host_state(host, tx.now),
        "power": host.power,
        "path": host.path,
        "agent": host.agent,
        "cpus": host.cpus,
        "memory_mib": host.memory_mib,
        "cpu_model": host.cpu_model,
        "volumes": [
            {"name": seen.name, "kind": seen.kind, "active": seen.active, "reachable": seen.reachable}
            for seen in volumes(tx, host)
        ],
        "vms": [_vm(copy) for copy in tx.copies_on(host.name)],
    }


def _vm(copy: Copy) -> dict[str, Any]:
    saved = json.loads(copy.saved)
    return {
        "name": copy.name,
        "uuid": copy.uuid,
        "state": "incoming" if copy.incoming else copy.state.value,
        "reason": copy.reason,
        "memory_mib": saved["memory_mib"],
        "vcpus": saved["vcpus"],
        "notes": saved["notes"],
        "stamp": definitions.stamp_of(copy.running if copy.running is not None else copy.saved),
        "running_memory_mib": copy.run_memory_mib if copy.has_process else None,
        "running_vcpus": copy.run_vcpus if copy.has_process else None,
    }
