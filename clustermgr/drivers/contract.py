"""What a hypervisor host can be asked. One contract, two worlds: simulated hosts and libvirt.

Owns the verbs, the values they exchange and the errors they raise. Knows nothing of the cluster's rows.

Rules for every implementation
- Every call has a deadline (seconds, given at `connect`) and raises `HostUnreachable` when it passes.
- A VM is addressed by its UUID (canonical lower-case text), never by name.
- `begin_*` starts work that takes time and returns a `Handle` at once. The handle ends with the process that
  holds it; the work on the host may go on without it, so outcomes are *observed* (`sight`, `jobs`), never
  returned.
- A call that changes something is made within the caller's permit (`permits.permitted`) or not at all: raised
  as `TooLate`, or told by the handle as FAILED; never LOST.
- Sizes are bytes unless a name says `_mib`; rates are bytes per second; times are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from clustermgr.drivers.errors import AgentDown as AgentDown
from clustermgr.drivers.errors import Busy as Busy
from clustermgr.drivers.errors import DriverError as DriverError
from clustermgr.drivers.errors import Failed as Failed
from clustermgr.drivers.errors import HostUnreachable as HostUnreachable
from clustermgr.drivers.errors import NotFound as NotFound
from clustermgr.drivers.errors import Refused as Refused
from clustermgr.drivers.errors import TooLate as TooLate
from clustermgr.drivers.errors import Unsupported as Unsupported
from clustermgr.drivers.probes import Credentials as Credentials
from clustermgr.drivers.probes import Probe as Probe
from clustermgr.drivers.probes import ProbeFinding as ProbeFinding


class DomainState(StrEnum):
    """What a host says of one VM. `SAVED` is a state kept by the host itself (managed save)."""

    RUNNING = "running"
    PAUSED = "paused"
    PAUSED_IO = "paused_io"  # stopped by an I/O error
    STARTING = "starting"
    STOPPING = "stopping"
    OFF = "off"
    SAVED = "saved"
    CRASHED = "crashed"  # ended by itself, by a kill or a crash, not by an order


#: States in which the host has a process (or may have one) that can write to the VM's disks.
WITH_PROCESS = frozenset(
    {
        DomainState.RUNNING,
        DomainState.PAUSED,
        DomainState.PAUSED_IO,
        DomainState.STARTING,
        DomainState.STOPPING,
    }
)


#: Reasons that a host gives for a VM that is OFF because somebody wanted it so, in the guest or on the host.
#: Any other reason, or none, is a loss: its host lost power, its process vanished.
MOVED_AWAY = "moved to another host"
#: Its memory was written to the file, wholly.
SAVED_TO_FILE = "saved"
STOPPED_ON_PURPOSE = frozenset(
    {"shut down", "shut down by the guest", "turned off", SAVED_TO_FILE, MOVED_AWAY}
)


#: How the name of each marker begins.
MARKER = "clustermgr-"
#: A marker takes no room; its size is one sector and its nonce, in bytes.
SECTOR, NONCES = 512, 1 << 20


class JobKind(StrEnum):
    MIGRATION_OUT = "migration_out"
    MIGRATION_IN = "migration_in"
    SAVE = "save"
    RESTORE = "restore"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Job:
    """Progress of one host job, as the hypervisor measured it. Figures are 0 until they are known."""

    kind: JobKind
    at: float  # unix time at which the driver read these figures
    elapsed_s: float = 0.0
    bytes_sent: int = 0
    bytes_left: int = 0
    bytes_total: int = 0
    rate: float = 0.0
    dirty_rate: float = 0.0
    iteration: int = 0
    switching: bool = False  # past the point at which it can be cancelled
    peer: str = ""  # address or name of the other host, where the host knows it


@dataclass(frozen=True, slots=True)
class JobTotals:
    """A completed migration in figures."""

    elapsed_s: float
    downtime_ms: float | None
    bytes_sent: int
    iterations: int


@dataclass(frozen=True, slots=True)
class DomainSight:
    """One VM as seen on one host at one moment."""

    uuid: str
    name: str
    state: DomainState
    reason: str = ""  # the host's own word: "crashed", "shut down by the guest", "saved" ...
    persistent: bool = True
    incoming: bool = False  # the paused, unfinished copy of an incoming migration
    autostart: bool = False
    job: Job | None = None  # filled by `sight`; `sights` may leave it out
    started_at: float | None = None  # unix time, where the host knows it

    @property
    def has_process(self) -> bool:
        return self.state in WITH_PROCESS


@dataclass(frozen=True, slots=True)
class HostFacts:
    host_uuid: str
    hostname: str
    hypervisor: str  # "QEMU 7.2.22", "Simulated 1.0"
    simulated: bool
    cpus: int
    memory_mib: int
    cpu_model: str
    cpu_features: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()  # names that a VM's adapter can be connected to
    capabilities: frozenset[str] = frozenset()  # verbs beyond the floor, e.g. "save", "settings", "guest"


@dataclass(frozen=True, slots=True)
class VmSample:
    uuid: str
    cpu_percent: float  # of its own processors, 0..100
    memory_used_mib: int | None


@dataclass(frozen=True, slots=True)
class HostSample:
    cpu_percent: float
    memory_used_mib: int
    vms: tuple[VmSample, ...] = ()


@dataclass(frozen=True, slots=True)
class DiskSetting:
    path: str
    volume: str  # the volume's name where the host knows it, else ""
    bus: str = "virtio"
    size_mib: int = 0
    shareable: bool = False


@dataclass(frozen=True, slots=True)
class NicSetting:
    mac: str
    network: str


@dataclass(frozen=True, slots=True)
class VmSettings:
    """The part of a definition that the forms and the drift report understand."""

    name: str
    memory_mib: int
    vcpus: int
    notes: str = ""
    disks: tuple[DiskSetting, ...] = ()
    nics: tuple[NicSetting, ...] = ()
    firmware: str = "bios"
    autostart: bool = False


@dataclass(frozen=True, slots=True)
class ConfigReading:
    """A VM's configuration as its host keeps it.

    `definition` is opaque, complete text (libvirt: inactive XML with secrets; simulated: JSON) from which
    `define` makes the same VM on another host. `fingerprint` changes when anything that matters changed,
    and is equal for definitions that differ only in what the host fills in by itself, or in their stamp.
    `stamp` is the manager's mark in the definition, `running_stamp` that of the process (safety.md 7.2); ""
    when there is none.
    """

    uuid: str
    definition: str
    fingerprint: str
    saved: VmSettings
    running: VmSettings | None  # None while the VM has no process
    stamp: str = ""
    running_stamp: str | None = None  # None while the VM has no process


@dataclass(frozen=True, slots=True)
class VolumeSight:
    """A volume as one host sees it. `active` on several hosts at once only for a CSV."""

    name: str
    kind: str  # "csv" or "disk" where the host knows it, else ""
    path: str
    active: bool
    reachable: bool
    capacity_bytes: int
    used_bytes: int
    file_system: str = ""
    markers: tuple[tuple[str, int], ...] = ()  # (name, nonce), by name; see `HostDriver.markers`


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a migration goes: `address` as the *source host* reaches the target's daemon."""

    address: str
    name: str


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    bandwidth: int = 0  # bytes per second, 0 = no limit
    allow_unsafe: bool = False  # a shared directory that libvirt does not know to be shared


class HandleState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"  # no answer: the host may still do it


class Handle(Protocol):
    """The call that `begin_*` started, for as long as this process lives."""

    def poll(self) -> tuple[HandleState, str]:
        """State, and for FAILED and LOST the reason in one sentence. Never blocks."""
        ...


class HostDriver(Protocol):
    """One connection to one host. Not thread-safe: one thread, one connection."""

    # -- the host --
    def facts(self) -> HostFacts: ...

    def ping(self) -> str:
        """The host's UUID, by the cheapest call that proves that its daemon answers."""
        ...

    def sample(self) -> HostSample: ...

    def volumes(self) -> list[VolumeSight]: ...

    def activate_volume(self, name: str) -> None: ...

    def deactivate_volume(self, name: str) -> None: ...

    def claim_marker(self, volume: str, name: str, nonce: int) -> bool:
        """Make the empty file `name` (it begins with MARKER) on a volume, exclusively: False when there is
        one of that name, whoever made it (safety.md 7.2). `nonce`, 0 to NONCES - 1, stands in its size and
        tells a call of ours whose answer was lost from another's. Raises NotFound, Refused (the volume is
        not active here), Unsupported (it has no files), Failed; after HostUnreachable it may be made yet."""
        ...

    def markers(self, volume: str) -> dict[str, int]:
        """The markers on a volume as this host sees it now: name -> nonce, -1 for one that is being made.
        `delete_file` removes one. Raises as `claim_marker`."""
        ...

    def close(self) -> None: ...

    # -- seeing VMs --
    def sights(self) -> list[DomainSight]:
        """Every VM that this host knows, running or only defined; without their jobs."""
        ...

    def sight(self, uuid: str) -> DomainSight | None:
        """One VM with its job; None when the host knows no such VM."""
        ...

    def jobs(self, uuids: Iterable[str]) -> dict[str, Job]:
        """The jobs under way of these VMs; a VM without a job is left out."""
        ...

    def totals(self, uuid: str) -> JobTotals | None:
        """Figures of the last completed incoming migration of this VM; asked on the *target*."""
        ...

    def read_config(self, uuid: str) -> ConfigReading:
        """Raises NotFound."""
        ...

    # -- changing definitions --
    def define(self, definition: str, stamp: str = "") -> None:
        """Define or redefine a VM from a complete definition; starts nothing, autostart off. `stamp` takes
        the place of the one in the definition; "" leaves that as it is."""
        ...

    def stamp(self, uuid: str, text: str) -> None:
        """Put the manager's mark on a VM, on its definition and on its process, or take it away (""). Changes
        no fingerprint. `text`: words such as "manager=… epoch=3 vm=…". Raises NotFound, Busy."""
        ...

    def forbid_autostart(self, uuid: str) -> None:
        """From now on the VM does not start with its host by itself. Raises NotFound."""
        ...

    def undefine(self, uuid: str) -> None:
        """Remove the definition, keeping firmware variables and TPM state. No error when it is gone."""
        ...

    def apply_settings(self, uuid: str, changes: Mapping[str, object]) -> dict[str, str]:
        """Change `memory_mib`, `vcpus`, `notes`. Returns field -> "now" or "next_start".

        Raises Refused (with the rule and the limit) and changes nothing when any field is not possible.
        """
        ...

    # -- power --
    def begin_start(self, uuid: str) -> Handle:
        """Start *paused* (safety.md 3): from the definition, or from a state that this host itself keeps
        (`SAVED`), which is spent by it."""
        ...

    def resume(self, uuid: str) -> None: ...

    def suspend(self, uuid: str) -> None: ...

    def destroy(self, uuid: str) -> None:
        """Turn off. No error when the VM has no process."""
        ...

    def begin_shutdown(self, uuid: str, *, forced: bool = False) -> None:
        """Ask the guest to shut down; `forced`: do not wait for slow processes. Observe the end."""
        ...

    # -- moving --
    def begin_migrate(self, uuid: str, to: Destination, options: MigrationOptions) -> Handle:
        """Live migration, host to host: it goes on when this process dies. On success the target
        has the VM running and defined, and the source has no definition of it."""
        ...

    def abort_job(self, uuid: str) -> None:
        """Cancel the VM's job. Raises Refused after switch-over began; no error when there is no job."""
        ...

    def begin_save(self, uuid: str, path: str) -> Handle:
        """Write memory to `path` on shared storage; the VM is OFF afterwards."""
        ...

    def begin_restore(self, path: str) -> Handle:
        """Restore from `path`, *paused*, as a transient VM (safety.md 2.4)."""
        ...

    def has_file(self, path: str) -> bool:
        """Whether a saved state of this path exists. Raises Failed when this host does not reach the volume:
        False means that it is certainly gone."""
        ...

    def is_whole(self, path: str) -> bool:
        """Whether a saved state was written to its end: half of one, or none, is not. Raises Failed as
        `has_file` does."""
        ...

    def delete_file(self, path: str) -> None:
        """Delete a saved state or a marker. No error when it is gone already."""
        ...


@dataclass(frozen=True, slots=True)
class DoneHandle:
    """A handle for work that ended before `begin_*` returned, or that no longer has a caller."""

    state: HandleState = HandleState.DONE
    reason: str = field(default="")

    def poll(self) -> tuple[HandleState, str]:
        return self.state, self.reason
