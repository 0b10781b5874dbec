"""The rows of the store as values. No rules."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from clustermgr.drivers.contract import WITH_PROCESS, DomainState

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    uuid: str
    cpus: int
    memory_mib: int
    cpu_model: str
    cpu_features: tuple[str, ...]
    networks: tuple[str, ...]
    power: bool
    up_at: float  # unix time at which the boot ends
    path: bool  # the management path
    agent: bool
    hangs: bool

    @classmethod
    def of(cls, row: sqlite3.Row) -> Host:
        return cls(
            row["name"],
            row["uuid"],
            row["cpus"],
            row["memory_mib"],
            row["cpu_model"],
            tuple(json.loads(row["cpu_features"])),
            tuple(json.loads(row["networks"])),
            bool(row["power"]),
            row["up_at"],
            bool(row["path"]),
            bool(row["agent"]),
            bool(row["hangs"]),
        )


@dataclass(frozen=True, slots=True)
class Copy:
    """One VM on one host: its definition there and, maybe, its process."""

    host: str
    uuid: str
    name: str
    defined: bool
    saved: str
    running: str | None
    run_memory_mib: int
    run_vcpus: int
    state: DomainState
    reason: str
    incoming: bool
    autostart: bool
    started_at: float | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Copy:
        return cls(
            row["host"],
            row["uuid"],
            row["name"],
            bool(row["defined"]),
            row["saved"],
            row["running"],
            row["run_memory_mib"],
            row["run_vcpus"],
            DomainState(row["state"]),
            row["reason"],
            bool(row["incoming"]),
            bool(row["autostart"]),
            row["started_at"],
        )

    @property
    def has_process(self) -> bool:
        return self.state in WITH_PROCESS

    @property
    def holds_images(self) -> bool:
        """Whether its process holds the lock of its disk images; an incoming copy takes it at the switch."""
        return self.has_process and not self.incoming and self.state is not DomainState.STARTING


@dataclass(frozen=True, slots=True)
class Guest:
    """What goes with a VM wherever it runs."""

    uuid: str
    name: str
    dirty_mib_s: float
    load_cpu: float
    hung: bool
    faults: dict[str, Any] = field(hash=False)

    @classmethod
    def of(cls, row: sqlite3.Row) -> Guest:
        return cls(
            row["uuid"],
            row["name"],
            row["dirty_mib_s"],
            row["load_cpu"],
            bool(row["hung"]),
            json.loads(row["faults"]),
        )


@dataclass(frozen=True, slots=True)
class Work:
    """Something that takes time. `due` is when its present phase ends; None: never by itself."""

    id: int
    kind: str
    phase: str
    host: str
    uuid: str
    peer: str
    path: str
    begun: float
    due: float | None
    state: str
    reason: str
    plan: str

    @classmethod
    def of(cls, row: sqlite3.Row) -> Work:
        return cls(*(row[name] for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class Volume:
    name: str
    kind: str
    path: str
    capacity: int
    used: int
    file_system: str
    locks: bool

    @classmethod
    def of(cls, row: sqlite3.Row) -> Volume:
        return cls(
            row["name"],
            row["kind"],
            row["path"],
            row["capacity"],
            row["used"],
            row["file_system"],
            bool(row["locks"]),
        )


@dataclass(frozen=True, slots=True)
class SavedFile:
    path: str
    volume: str
    uuid: str
    name: str
    definition: str
    size: int
    complete: bool
    managed: bool

    @classmethod
    def of(cls, row: sqlite3.Row) -> SavedFile:
        return cls(
            row["path"],
            row["volume"],
            row["uuid"],
            row["name"],
            row["definition"],
            row["size"],
            bool(row["complete"]),
            bool(row["managed"]),
        )


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that must not happen: `double_run`, or that the image lock stopped: `lock_refused`."""

    at: float
    kind: str
    uuid: str
    hosts: tuple[str, ...]
