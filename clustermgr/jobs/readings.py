"""A driver's answers in the words of core.readings. The only translation between the two."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from clustermgr.core import readings as r
from clustermgr.core.states import VmState
from clustermgr.drivers.contract import (
    MOVED_AWAY,
    STOPPED_ON_PURPOSE,
    ConfigReading,
    DomainSight,
    DomainState,
    HostDriver,
    HostFacts,
    HostSample,
    NotFound,
    Probe,
    VmSettings,
    VolumeSight,
)
from clustermgr.ports import clock

STATES = {
    DomainState.RUNNING: VmState.RUNNING,
    DomainState.PAUSED: VmState.PAUSED,
    DomainState.PAUSED_IO: VmState.PAUSED_CRITICAL,
    DomainState.STARTING: VmState.STARTING,
    DomainState.STOPPING: VmState.STOPPING,
    DomainState.OFF: VmState.OFF,
    DomainState.SAVED: VmState.SAVED,
    DomainState.CRASHED: VmState.FAILED,
}


def look(node: int, host: HostDriver) -> r.Look:
    began = clock().now()
    return r.Look(node, began, {sight.uuid: seen(sight) for sight in host.sights()})


def seen(sight: DomainSight) -> r.Seen:
    started = sight.started_at
    return r.Seen(
        uuid=sight.uuid,
        name=sight.name,
        state=STATES[sight.state],
        process=sight.has_process,
        reason=sight.reason,
        on_purpose=sight.reason in STOPPED_ON_PURPOSE,
        moved_away=sight.reason == MOVED_AWAY,
        incoming=sight.incoming,
        autostart=sight.autostart,
        started_at=datetime.fromtimestamp(started, UTC) if started is not None else None,
    )


def load(node: int, sample: HostSample) -> r.Load:
    vms = {vm.uuid: (vm.cpu_percent, vm.memory_used_mib) for vm in sample.vms}
    return r.Load(node, sample.cpu_percent, sample.memory_used_mib, vms)


def volumes(node: int, sights: list[VolumeSight]) -> r.VolumesSeen:
    return r.VolumesSeen(node, tuple(r.VolumeSeen(**asdict(sight)) for sight in sights))


def config(node: int, uuid: str, host: HostDriver) -> r.Config | None:
    """None when the VM left this host since it was seen."""
    began = clock().now()
    try:
        reading: ConfigReading = host.read_config(uuid)
    except NotFound:
        return None
    return r.Config(
        node=node,
        uuid=reading.uuid,
        began=began,
        definition=reading.definition,
        fingerprint=reading.fingerprint,
        saved=settings(reading.saved),
        running=settings(reading.running) if reading.running else None,
        stamps=(reading.stamp, reading.running_stamp),
    )


def settings(values: VmSettings) -> r.Settings:
    # A JSON column gives lists back: the same shape here, so that equal settings compare equal. Not asdict,
    # which copies every text: 8,000 VMs have their configuration read each minute.
    found = _columns(values)
    lists = {
        "disks": [_columns(disk) for disk in values.disks],
        "nics": [_columns(nic) for nic in values.nics],
    }
    return {**found, **lists}


def _columns(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def facts(node: int, found: HostFacts) -> r.Facts:
    return r.Facts(
        node=node,
        host_uuid=found.host_uuid,
        hypervisor=found.hypervisor,
        simulated=found.simulated,
        cpus=found.cpus,
        memory_mib=found.memory_mib,
        cpu_model=found.cpu_model,
        cpu_features=tuple(sorted(found.cpu_features)),
        networks=tuple(found.networks),
        capabilities=tuple(sorted(found.capabilities)),
    )


def inventory(
    node: int, host: HostDriver, *, configs: bool, volumes_seen: r.VolumesSeen | None = None
) -> r.Inventory:
    """Facts, volumes (or those that were just seen) and VMs of one host; with `configs` every VM's
    configuration too."""
    known = facts(node, host.facts())
    found = look(node, host)
    read = [config(node, uuid, host) for uuid in found.seen] if configs else []
    shelves = volumes_seen or volumes(node, host.volumes())
    return r.Inventory(known, shelves, found, tuple(c for c in read if c))


def tested(found: Probe) -> r.Probed:
    """A test of a connection. `shown` holds what a page tells of the host."""
    shown: dict[str, object] = {}
    if found.facts is not None:
        plain = facts(0, found.facts)
        names = ("hypervisor", "simulated", "cpus", "memory_mib", "cpu_model")
        shown = {name: getattr(plain, name) for name in names}
        shown |= {"hostname": found.facts.hostname, "networks": list(plain.networks), "vms": found.vms}
        shown["volumes"] = [
            {"name": each.name, "path": each.path, "active": each.active} for each in found.volumes
        ]
    return r.Probed(
        host_keys=tuple(found.host_keys),
        findings=tuple(asdict(each) for each in found.findings),
        facts=None if found.facts is None else facts(0, found.facts),
        shown=shown,
        usable=found.usable,
    )
