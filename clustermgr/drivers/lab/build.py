"""Descriptions of simulated hosts, volumes and VMs, and how they come into a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from clustermgr.drivers.contract import DiskSetting, DomainState, Refused
from clustermgr.drivers.lab import definition as definitions
from clustermgr.drivers.lab.rows import MIB
from clustermgr.drivers.lab.tx import Tx

CPU_MODEL = "Simulated-Server-v3"
CPU_FEATURES = ("aes", "avx", "avx2", "avx512f", "sse4.2", "vmx")
NETWORKS = ("Production", "Management")
_GIB = 1024 * MIB
_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A host, powered on, that reaches every volume there is."""

    name: str
    cpus: int = 16
    memory_mib: int = 65536
    cpu_model: str = CPU_MODEL
    cpu_features: tuple[str, ...] = CPU_FEATURES
    networks: tuple[str, ...] = NETWORKS


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A `csv`, or a `disk` active on its owner only. `locks`: the image lock refuses a second process."""

    name: str
    kind: str = "csv"
    owner: str = ""
    capacity_gib: int = 2048
    used_gib: int = 300
    file_system: str = ""
    path: str = ""
    locks: bool = True
    hosts: tuple[str, ...] | None = None  # None: all

    @property
    def root(self) -> str:
        folder = "clusterstorage" if self.kind == "csv" else "clusterdisks"
        return self.path or f"/{folder}/{self.name}"


@dataclass(frozen=True, slots=True)
class VmSpec:
    """A VM on a host. `state`: running, off, saved or paused; `load_cpu`: processors kept busy."""

    name: str
    on: str
    memory_mib: int = 2048
    vcpus: int = 2
    state: str = "running"
    dirty_mib_s: float = 8.0
    load_cpu: float = 0.3
    volume: str = "csv1"
    disk_gib: int = 40
    notes: str = ""
    networks: tuple[str, ...] = ("Production",)
    firmware: str = "bios"
    cpu_features: tuple[str, ...] = ()  # that the host must have
    faults: Mapping[str, object] = field(default_factory=dict)
    autostart: bool = False
    up_s: float = _DAY_S  # how long it has been running

    @property
    def uuid(self) -> str:
        return definitions.vm_uuid(self.name)


def place_node(tx: Tx, spec: NodeSpec, *, attach: bool = True) -> None:
    """Raises Refused for a name that is taken. `attach`: give it every volume there is."""
    if tx.find_host(spec.name) is not None:
        raise Refused(f"There is a simulated host called “{spec.name}” already.")
    tx.run(
        "INSERT INTO host (name, uuid, cpus, memory_mib, cpu_model, cpu_features, networks)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        spec.name,
        definitions.host_uuid(spec.name),
        spec.cpus,
        spec.memory_mib,
        spec.cpu_model,
        json.dumps(spec.cpu_features),
        json.dumps(spec.networks),
    )
    for volume in tx.volumes() if attach else ():
        _attach(tx, spec.name, volume.name, active=volume.kind == "csv")


def place_volume(tx: Tx, spec: VolumeSpec) -> None:
    is_csv = spec.kind == "csv"
    tx.run(
        "INSERT INTO volume (name, kind, path, capacity, used, file_system, locks)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        spec.name,
        spec.kind,
        spec.root,
        spec.capacity_gib * _GIB,
        spec.used_gib * _GIB,
        spec.file_system or ("GFS2" if is_csv else "XFS"),
        int(spec.locks),
    )
    for host in tx.hosts():
        if spec.hosts is None or host.name in spec.hosts:
            _attach(tx, host.name, spec.name, active=is_csv or host.name == spec.owner)


def place_vm(tx: Tx, spec: VmSpec) -> None:
    """Raises Refused for a state that a VM cannot be built in, or a name that is taken on that host."""
    if spec.state not in ("running", "off", "saved", "paused"):
        raise Refused(f"A VM is built running, off, saved or paused; not “{spec.state}”.")
    tx.host(spec.on)
    if tx.find_copy(spec.on, spec.uuid) is not None:
        raise Refused(f"{spec.on} has a VM called {spec.name} already.")
    text = _definition(tx, spec)
    tx.run(
        "INSERT OR REPLACE INTO guest (uuid, name, dirty_mib_s, load_cpu, faults) VALUES (?, ?, ?, ?, ?)",
        spec.uuid,
        spec.name,
        spec.dirty_mib_s,
        spec.load_cpu,
        json.dumps(dict(spec.faults), sort_keys=True),
    )
    tx.run(
        "INSERT INTO copy (host, uuid, name, defined, saved, state, autostart) VALUES (?, ?, ?, 1, ?, ?, ?)",
        spec.on,
        spec.uuid,
        spec.name,
        text,
        DomainState(spec.state),
        int(spec.autostart),
    )
    if spec.state in ("running", "paused"):
        tx.set_copy(
            spec.on,
            spec.uuid,
            running=text,
            run_memory_mib=spec.memory_mib,
            run_vcpus=spec.vcpus,
            started_at=tx.now - spec.up_s,
            reason="suspended" if spec.state == "paused" else "",
        )
    if spec.state == "saved":
        _place_saved_file(tx, spec, text)


def saved_path(definition: str) -> str:
    """Where the saved state lies of a VM that was built saved: beside its first disk."""
    settings = definitions.settings_of(definition)
    return f"{settings.disks[0].path.rsplit('/', 1)[0]}/{settings.name}.saved"


def _definition(tx: Tx, spec: VmSpec) -> str:
    path = f"{tx.volume(spec.volume).path}/{spec.name}.qcow2"
    return definitions.filled_in(
        definitions.compose(
            name=spec.name,
            memory_mib=spec.memory_mib,
            vcpus=spec.vcpus,
            notes=spec.notes,
            disks=[DiskSetting(path, spec.volume, size_mib=spec.disk_gib * 1024)],
            networks=spec.networks,
            firmware=spec.firmware,
            cpu_features=spec.cpu_features,
        )
    )


def _place_saved_file(tx: Tx, spec: VmSpec, text: str) -> None:
    tx.run(
        "INSERT OR REPLACE INTO file (path, volume, uuid, name, definition, size, complete, managed)"
        " VALUES (?, ?, ?, ?, ?, ?, 1, 1)",
        saved_path(text),
        spec.volume,
        spec.uuid,
        spec.name,
        json.dumps({"saved": text, "running": text}),
        spec.memory_mib * MIB,
    )


def _attach(tx: Tx, host: str, volume: str, *, active: bool) -> None:
    sql = "INSERT INTO attachment (host, volume, active, reachable) VALUES (?, ?, ?, 1)"
    tx.run(sql, host, volume, int(active))
