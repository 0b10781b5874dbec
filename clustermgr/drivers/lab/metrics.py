"""Plausible processor and memory figures: a function of a VM's identity, its load and time. Pure."""

from __future__ import annotations

import math
from zlib import crc32

_HOST_OVERHEAD_MIB = 1536
_HOST_OVERHEAD_CPU = 1.2


def vm_cpu_percent(uuid: str, *, load_cpu: float, vcpus: int, now: float, booting: bool) -> float:
    """Percent of the VM's own processors, 0..100. `load_cpu`: processors that its work keeps busy."""
    if booting:
        return 72.0 + 20.0 * _wave(uuid, now, 3.0)
    steady = 100.0 * load_cpu / max(1, vcpus)
    swing = 0.55 + 0.3 * _wave(uuid, now, 97.0) + 0.15 * _wave(uuid, now, 13.0)
    return round(min(100.0, max(0.2, steady * 2 * swing)), 1)


def vm_memory_mib(uuid: str, *, memory_mib: int, now: float) -> int:
    """What the guest uses of its memory."""
    share = 0.35 + 0.5 * _unit(uuid) + 0.06 * (_wave(uuid, now, 211.0) - 0.5)
    return int(memory_mib * min(0.97, share))


def host_cpu_percent(busy_cpus: float, *, cpus: int, name: str, now: float) -> float:
    overhead = _HOST_OVERHEAD_CPU * (0.6 + 0.8 * _wave(name, now, 41.0))
    return round(min(100.0, 100.0 * busy_cpus / max(1, cpus) + overhead), 1)


def host_memory_mib(used_by_vms: int, *, memory_mib: int) -> int:
    return min(memory_mib, used_by_vms + _HOST_OVERHEAD_MIB)


def _unit(key: str) -> float:
    return crc32(key.encode()) / 0xFFFFFFFF


def _wave(key: str, now: float, period: float) -> float:
    return 0.5 + 0.5 * math.sin(2 * math.pi * (now / period + _unit(key)))
