"""What a host says of its VMs: libvirt's states, reasons and jobs in the contract's words."""

from __future__ import annotations

from collections.abc import Iterable

import libvirt

from clustermgr import ports
from clustermgr.drivers.contract import DomainSight, DomainState, Job, JobKind, JobTotals
from clustermgr.drivers.libvirt.definitions import look_up

STATES = {
    libvirt.VIR_DOMAIN_NOSTATE: DomainState.STARTING,
    libvirt.VIR_DOMAIN_RUNNING: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: DomainState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: DomainState.STOPPING,
    libvirt.VIR_DOMAIN_SHUTOFF: DomainState.OFF,
    # With on_crash=preserve the process stays and holds the disks: resume fails, so it will be destroyed.
    libvirt.VIR_DOMAIN_CRASHED: DomainState.PAUSED_IO,
    libvirt.VIR_DOMAIN_PMSUSPENDED: DomainState.PAUSED,
}
PAUSED = {
    libvirt.VIR_DOMAIN_PAUSED_IOERROR: DomainState.PAUSED_IO,
    libvirt.VIR_DOMAIN_PAUSED_CRASHED: DomainState.PAUSED_IO,
    libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: DomainState.STARTING,
    libvirt.VIR_DOMAIN_PAUSED_SHUTTING_DOWN: DomainState.STOPPING,
}
PAUSED_WORDS = {
    libvirt.VIR_DOMAIN_PAUSED_USER: "paused by an order",
    libvirt.VIR_DOMAIN_PAUSED_MIGRATION: "paused for a migration",
    libvirt.VIR_DOMAIN_PAUSED_SAVE: "paused while being saved",
    libvirt.VIR_DOMAIN_PAUSED_DUMP: "paused for a memory dump",
    libvirt.VIR_DOMAIN_PAUSED_IOERROR: "paused by an I/O error",
    libvirt.VIR_DOMAIN_PAUSED_WATCHDOG: "paused by its watchdog",
    libvirt.VIR_DOMAIN_PAUSED_FROM_SNAPSHOT: "paused after a snapshot",
    libvirt.VIR_DOMAIN_PAUSED_SHUTTING_DOWN: "shutting down",
    libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT: "paused for a snapshot",
    libvirt.VIR_DOMAIN_PAUSED_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: "starting",
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY: "paused for the post-copy phase of a migration",
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED: "paused after a failed post-copy migration",
}
OFF_WORDS = {
    libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: "shut down by the guest",
    libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: "turned off",
    libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED: "moved to another host",
    libvirt.VIR_DOMAIN_SHUTOFF_SAVED: "saved",
    libvirt.VIR_DOMAIN_SHUTOFF_FAILED: "failed to start",
    libvirt.VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT: "put back to a snapshot",
    libvirt.VIR_DOMAIN_SHUTOFF_DAEMON: "ended while the libvirt daemon was away",
}
#: Not FAILED: that start never ran, and whoever ordered it was told.
BY_ITSELF = {libvirt.VIR_DOMAIN_SHUTOFF_CRASHED, libvirt.VIR_DOMAIN_SHUTOFF_DAEMON}
MAYBE_INCOMING = {libvirt.VIR_DOMAIN_PAUSED_MIGRATION, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP}
SWITCHING = {libvirt.VIR_DOMAIN_PAUSED_MIGRATION, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY}
JOBS = {
    libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT: JobKind.MIGRATION_OUT,
    libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN: JobKind.MIGRATION_IN,
    libvirt.VIR_DOMAIN_JOB_OPERATION_SAVE: JobKind.SAVE,
    libvirt.VIR_DOMAIN_JOB_OPERATION_RESTORE: JobKind.RESTORE,
}
UNDER_WAY = {libvirt.VIR_DOMAIN_JOB_BOUNDED, libvirt.VIR_DOMAIN_JOB_UNBOUNDED}


def state_of(state: int, reason: int, *, saved: bool) -> tuple[DomainState, str]:
    """libvirt's state and reason in the contract's words. `saved`: the host keeps a managed save."""
    if state == libvirt.VIR_DOMAIN_PAUSED:
        return PAUSED.get(reason, DomainState.PAUSED), PAUSED_WORDS.get(reason, "paused")
    if state != libvirt.VIR_DOMAIN_SHUTOFF:
        crashed = state == libvirt.VIR_DOMAIN_CRASHED
        return STATES.get(state, DomainState.STARTING), "crashed" if crashed else ""
    if saved:
        return DomainState.SAVED, "saved by the host"
    return DomainState.CRASHED if reason in BY_ITSELF else DomainState.OFF, OFF_WORDS.get(reason, "")


def sights(handle: libvirt.virConnect) -> list[DomainSight]:
    """Four calls for all VMs, and one more for each that may be an incoming copy.

    NOWAIT: without it one hung QEMU holds the answer for 30 s (libvirt 9.0).
    """
    marks = {
        name: {domain.UUIDString() for domain in handle.listAllDomains(flag)}
        for name, flag in (
            ("transient", libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT),
            ("autostart", libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART),
            ("saved", libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE),
        )
    }
    nowait = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    found = []
    for domain, stats in handle.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, nowait):
        uuid = domain.UUIDString()
        kept = {name: uuid in uuids for name, uuids in marks.items()}
        found.append(_seen(domain, stats.get("state.state", 0), stats.get("state.reason", 0), kept))
    return found


def sight(handle: libvirt.virConnect, uuid: str) -> DomainSight | None:
    domain = look_up(handle, uuid)
    if domain is None:
        return None
    try:
        state, reason = domain.state()
        persistent = bool(domain.isPersistent())
        kept = {
            "transient": not persistent,
            "autostart": bool(persistent and domain.autostart()),
            "saved": bool(persistent and domain.hasManagedSaveImage()),
        }
        return _seen(domain, state, reason, kept, job=job_of(domain))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None  # it went while we looked
        raise


def _seen(
    domain: libvirt.virDomain, state: int, reason: int, kept: dict[str, bool], job: Job | None = None
) -> DomainSight:
    word, text = state_of(state, reason, saved=kept["saved"])
    incoming = False
    if state == libvirt.VIR_DOMAIN_PAUSED and reason in MAYBE_INCOMING:
        job = job or job_of(domain)
        incoming = job is not None and job.kind is JobKind.MIGRATION_IN
        if job is None and reason == libvirt.VIR_DOMAIN_PAUSED_MIGRATION:
            text = "restored or moved, not resumed"  # libvirt 9.0 gives a restored copy this reason too
    return DomainSight(
        uuid=domain.UUIDString(),
        name=domain.name(),
        state=DomainState.PAUSED if incoming else word,
        reason="incoming copy of a migration" if incoming else text,
        persistent=not kept["transient"],
        incoming=incoming,
        autostart=kept["autostart"],
        job=job,
    )


def job_of(domain: libvirt.virDomain) -> Job | None:
    """The VM's job under way. Answers at once even while QEMU hangs."""
    at = ports.clock().now().timestamp()
    try:
        figures = domain.jobStats()
    except libvirt.libvirtError as error:
        # "migration statistics are available only on the source host": so this is the target (libvirt 9.0).
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_UNSUPPORTED:
            return Job(JobKind.MIGRATION_IN, at)
        if error.get_error_code() in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
            return None  # not running, or gone
        raise
    if figures.get("type") not in UNDER_WAY:
        return None
    kind = JOBS.get(figures.get("operation", 0), JobKind.OTHER)
    return _job(kind, at, figures, switching=kind is JobKind.MIGRATION_OUT and _is_switching(domain))


def _job(kind: JobKind, at: float, figures: dict[str, int], *, switching: bool) -> Job:
    page = figures.get("memory_page_size", 4096)
    return Job(
        kind=kind,
        at=at,
        elapsed_s=figures.get("time_elapsed", 0) / 1000,
        bytes_sent=figures.get("data_processed", 0),
        bytes_left=figures.get("data_remaining", 0),
        bytes_total=figures.get("data_total", 0),
        rate=float(figures.get("memory_bps", 0)),
        dirty_rate=float(figures.get("memory_dirty_rate", 0) * page),
        iteration=figures.get("memory_iteration", 0),
        switching=switching,
    )


def _is_switching(domain: libvirt.virDomain) -> bool:
    """The source was paused by the migration itself: the guest is on its way."""
    state, reason = domain.state()
    return state == libvirt.VIR_DOMAIN_PAUSED and reason in SWITCHING


def jobs(handle: libvirt.virConnect, uuids: Iterable[str]) -> dict[str, Job]:
    found = ((uuid, _job_by_uuid(handle, uuid)) for uuid in uuids)
    return {uuid: job for uuid, job in found if job is not None}


def _job_by_uuid(handle: libvirt.virConnect, uuid: str) -> Job | None:
    domain = look_up(handle, uuid)
    return None if domain is None else job_of(domain)


def totals(handle: libvirt.virConnect, uuid: str) -> JobTotals | None:
    """KEEP_COMPLETED: the first read would clear them. After post-copy the target has none (libvirt 9.0)."""
    domain = look_up(handle, uuid)
    if domain is None or not domain.isActive():
        return None
    flags = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
    try:
        figures = domain.jobStats(flags)
    except libvirt.libvirtError as error:
        if error.get_error_code() in (
            libvirt.VIR_ERR_OPERATION_INVALID,
            libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
        ):
            return None  # ended meanwhile, or still incoming
        raise
    if figures.get("operation") != libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN:
        return None
    downtime = figures.get("downtime")
    return JobTotals(
        elapsed_s=figures.get("time_elapsed", 0) / 1000,
        downtime_ms=None if downtime is None else float(downtime),
        bytes_sent=figures.get("data_processed", 0),
        iterations=figures.get("memory_iteration", 0),
    )
