"""What one look at one host found, in the cluster's words. jobs/readings.py makes them of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clustermgr.core.states import VmState

#: name, memory_mib, vcpus, notes, disks, nics, firmware, autostart: plain values, as in a JSON column.
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One VM on one host. `process`: it can write to its disks; FAILED: it ended by itself; `on_purpose`: it
    is off because somebody stopped it, in the guest or on the host."""

    uuid: str
    name: str
    state: VmState
    process: bool
    reason: str = ""
    on_purpose: bool = False
    moved_away: bool = False
    incoming: bool = False
    autostart: bool = False
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Every VM of one node. It says nothing about changes made after `began`."""

    node: int
    began: datetime
    seen: Mapping[str, Seen]


@dataclass(frozen=True, slots=True)
class Load:
    """Processor and memory of a node and of its VMs: uuid -> (CPU percent, memory in MiB)."""

    node: int
    cpu_percent: float
    memory_used_mib: int
    vms: Mapping[str, tuple[float, int | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VolumeSeen:
    name: str
    kind: str
    path: str
    active: bool
    reachable: bool
    capacity_bytes: int
    used_bytes: int
    file_system: str = ""
    markers: tuple[tuple[str, int], ...] = ()  # (name, nonce): core/markers.py


@dataclass(frozen=True, slots=True)
class VolumesSeen:
    """Every volume of one node; none, with the `trouble`, while its storage does not answer."""

    node: int
    volumes: tuple[VolumeSeen, ...]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """A VM's configuration as its host keeps it; `running` is None while it has no process."""

    node: int
    uuid: str
    began: datetime
    definition: str
    fingerprint: str
    saved: Settings
    running: Settings | None
    stamps: tuple[str | None, ...] = ()  # the manager's, on the definition and on the process


@dataclass(frozen=True, slots=True)
class Facts:
    """What a host is; `node` is the cluster's id of it."""

    node: int
    host_uuid: str
    hypervisor: str
    simulated: bool
    cpus: int
    memory_mib: int
    cpu_model: str
    cpu_features: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """A whole host, read when it is added or answers again."""

    facts: Facts
    volumes: VolumesSeen
    look: Look
    configs: tuple[Config, ...] = ()


Reading = Inventory | Facts | Look | Load | VolumesSeen | Config


@dataclass(frozen=True, slots=True)
class Probed:
    """What a test of a connection found. `facts` is None when nobody signed in; `usable`: it was seen, and
    nothing forbids adding it. `findings`: {level, what, advice}; `shown`: what a page tells of the host."""

    host_keys: tuple[str, ...] = ()
    findings: tuple[Mapping[str, str], ...] = ()
    facts: Facts | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)
    usable: bool = False
