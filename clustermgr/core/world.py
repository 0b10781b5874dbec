"""Frozen views of nodes and VMs on which `core` decides. queries/snapshot.py makes them from rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as placement sees it. Memory in MiB; `committed_mib` counts what is on its way here too."""

    id: int
    name: str
    state: str
    paused: bool
    cpus: int
    memory_mib: int
    committed_mib: int
    cpu_percent: float | None = None
    cpu_features: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    volumes: frozenset[int] = frozenset()  # ids of volumes that it reaches
    hypervisor: str = ""
    simulated: bool = False
    capabilities: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class VmView:
    """A VM as placement sees it. `possible` empty: every node; `preferred`: node ids, the best first."""

    id: int
    name: str
    owner: int
    state: str
    memory_mib: int
    vcpus: int
    volume: int | None = None
    volume_name: str = ""
    volume_is_disk: bool = False
    has_disks: bool = False
    networks: frozenset[str] = frozenset()
    possible: tuple[int, ...] = ()
    preferred: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterView:
    name: str
    nodes: Mapping[int, NodeView] = field(default_factory=dict)
    reserve_mib: int = 1024  # kept free for each host itself
