"""The host itself: what it is, and what it and its VMs use."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import libvirt

from clustermgr import ports
from clustermgr.drivers.contract import HostFacts, HostSample, VmSample

CAPABILITIES = frozenset(
    {"save", "settings", "guest", "migrate", "shutdown", "suspend", "volumes", "unsafe_migration"}
)
KIB_PER_MIB = 1024
NANO = 1e9


def host_uuid(handle: libvirt.virConnect) -> str:
    return ET.fromstring(handle.getCapabilities()).findtext("host/uuid", "").lower()


def facts(handle: libvirt.virConnect) -> HostFacts:
    capabilities = ET.fromstring(handle.getCapabilities())
    _arch, memory_mib, cpus = handle.getInfo()[:3]
    return HostFacts(
        host_uuid=capabilities.findtext("host/uuid", "").lower(),
        hostname=handle.getHostname(),
        hypervisor=f"{handle.getType()} {version(handle.getVersion())}",
        simulated=False,
        cpus=cpus,
        memory_mib=memory_mib,
        cpu_model=capabilities.findtext("host/cpu/model", ""),
        cpu_features=tuple(
            sorted(feature.get("name", "") for feature in capabilities.iterfind("host/cpu/feature"))
        ),
        networks=tuple(sorted(_networks(handle))),
        capabilities=CAPABILITIES,
    )


def version(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def _networks(handle: libvirt.virConnect) -> set[str]:
    """Networks of libvirt, and bridges where the host's interface driver is installed."""
    found: set[str] = set()
    try:
        found |= {
            network.name() for network in handle.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)
        }
    except libvirt.libvirtError as error:
        _only_unsupported(error)
    try:
        active = handle.listAllInterfaces(libvirt.VIR_CONNECT_LIST_INTERFACES_ACTIVE)
        found |= {card.name() for card in active if "type='bridge'" in card.XMLDesc(0)}
    except libvirt.libvirtError as error:
        _only_unsupported(error)
    return found


def _only_unsupported(error: libvirt.libvirtError) -> None:
    """Hosts come without the network or the interface driver (Debian packages them apart)."""
    if error.get_error_code() not in (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_NO_CONNECT):
        raise error


class Sampler:
    """Turns libvirt's counters into percentages between two samples; the first sample has none."""

    def __init__(self) -> None:
        self._host: tuple[int, int] | None = None  # busy, total, in nanoseconds
        self._vms: dict[str, tuple[float, int]] = {}  # monotonic seconds, processor time in nanoseconds

    def sample(self, handle: libvirt.virConnect) -> HostSample:
        memory = handle.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
        free = sum(memory.get(name, 0) for name in ("free", "buffers", "cached"))
        # VCPU, not CPU_TOTAL: the latter costs 40 ms for one guest (libvirt 9.0). NOWAIT: QEMU may hang.
        stats = handle.getAllDomainStats(
            libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_BALLOON,
            libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
            | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE,
        )
        at, before = ports.clock().monotonic(), self._vms
        self._vms = {}
        return HostSample(
            cpu_percent=self._host_percent(handle),
            memory_used_mib=(memory.get("total", 0) - free) // KIB_PER_MIB,
            vms=tuple(self._vm(domain.UUIDString(), figures, at, before) for domain, figures in stats),
        )

    def _host_percent(self, handle: libvirt.virConnect) -> float:
        figures = handle.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS)
        total = sum(figures.get(name, 0) for name in ("kernel", "user", "idle", "iowait"))
        busy = figures.get("kernel", 0) + figures.get("user", 0)
        before, self._host = self._host, (busy, total)
        if before is None or total <= before[1]:
            return 0.0
        return _percent((busy - before[0]) / (total - before[1]))

    def _vm(
        self, uuid: str, figures: dict[str, int], at: float, before: dict[str, tuple[float, int]]
    ) -> VmSample:
        times = [
            value for name, value in figures.items() if name.startswith("vcpu.") and name.endswith(".time")
        ]
        spent = sum(times)
        self._vms[uuid] = (at, spent)
        earlier = before.get(uuid)
        percent = 0.0
        if earlier and times and at > earlier[0]:
            percent = _percent((spent - earlier[1]) / NANO / (at - earlier[0]) / len(times))
        return VmSample(uuid=uuid, cpu_percent=percent, memory_used_mib=_memory_used(figures))


def _percent(share: float) -> float:
    return round(min(100.0, max(0.0, share * 100)), 1)


def _memory_used(figures: dict[str, int]) -> int | None:
    """As the guest's balloon driver tells it; without one nobody outside knows."""
    available = figures.get("balloon.available")
    unused = figures.get("balloon.usable", figures.get("balloon.unused"))
    if available is None or unused is None:
        return None
    return (available - unused) // KIB_PER_MIB
