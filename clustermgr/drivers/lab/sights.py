"""What a simulated host answers when it is asked: rows translated to the contract's values. Reads only."""

from __future__ import annotations

from sqlite3 import Row

from clustermgr.drivers.contract import (
    DomainSight,
    DomainState,
    HostFacts,
    HostSample,
    Job,
    JobKind,
    JobTotals,
    VmSample,
    VolumeSight,
)
from clustermgr.drivers.lab import markers, metrics, moves, precopy, saves
from clustermgr.drivers.lab.precopy import Plan
from clustermgr.drivers.lab.rows import MIB, Copy, Host, Volume, Work
from clustermgr.drivers.lab.tx import Tx

HYPERVISOR = "Simulated 1.0"
CAPABILITIES = frozenset({"save", "settings", "volumes", "migrate"})
_USES_CPU = (DomainState.RUNNING, DomainState.STOPPING)


def facts(host: Host) -> HostFacts:
    return HostFacts(
        host_uuid=host.uuid,
        hostname=host.name,
        hypervisor=HYPERVISOR,
        simulated=True,
        cpus=host.cpus,
        memory_mib=host.memory_mib,
        cpu_model=host.cpu_model,
        cpu_features=host.cpu_features,
        networks=host.networks,
        capabilities=CAPABILITIES,
    )


def domain(copy: Copy, *, job: Job | None = None) -> DomainSight:
    return DomainSight(
        uuid=copy.uuid,
        name=copy.name,
        state=copy.state,
        reason=copy.reason,
        persistent=copy.defined,
        incoming=copy.incoming,
        autostart=copy.autostart,
        job=job,
        started_at=copy.started_at,
    )


def domains(tx: Tx, host: Host) -> list[DomainSight]:
    """Every VM of a host; without their definitions, which are long and are read far more seldom."""
    rows = tx.all(
        "SELECT uuid, name, defined, state, reason, incoming, autostart, started_at"
        " FROM copy WHERE host = ? ORDER BY name, uuid",
        host.name,
    )
    return [
        DomainSight(
            uuid=row["uuid"],
            name=row["name"],
            state=DomainState(row["state"]),
            reason=row["reason"],
            persistent=bool(row["defined"]),
            incoming=bool(row["incoming"]),
            autostart=bool(row["autostart"]),
            started_at=row["started_at"],
        )
        for row in rows
    ]


def job(tx: Tx, host: str, uuid: str) -> Job | None:
    """The job of a VM as this host shows it; a start or a shutdown is none."""
    for work in tx.works(uuid, host):
        if work.kind == moves.KIND:
            return _migration(tx, work, host)
        if work.kind in (saves.SAVE, saves.RESTORE):
            return _file_job(tx, work)
    return None


def totals(tx: Tx, host: str, uuid: str) -> JobTotals | None:
    row = tx.one("SELECT * FROM totals WHERE host = ? AND uuid = ?", host, uuid)
    if row is None:
        return None
    return JobTotals(row["elapsed_s"], row["downtime_ms"], row["bytes_sent"], row["iterations"])


def volumes(tx: Tx, host: Host) -> list[VolumeSight]:
    rows = tx.all(
        "SELECT volume.*, active, reachable,"
        " COALESCE((SELECT SUM(size) FROM file WHERE file.volume = volume.name), 0) AS saved"
        " FROM volume JOIN attachment ON attachment.volume = volume.name"
        " WHERE attachment.host = ? ORDER BY volume.name",
        host.name,
    )
    return [
        VolumeSight(
            name=row["name"],
            kind=row["kind"],
            path=row["path"],
            active=bool(row["active"]),
            reachable=bool(row["reachable"]),
            capacity_bytes=row["capacity"],
            used_bytes=min(row["capacity"], row["used"] + row["saved"]),
            file_system=row["file_system"],
            markers=_markers(tx, host, row),
        )
        for row in rows
    ]


def _markers(tx: Tx, host: Host, row: Row) -> tuple[tuple[str, int], ...]:
    return markers.listed(tx, host.name, Volume.of(row)) if row["active"] and row["reachable"] else ()


def sample(tx: Tx, host: Host) -> HostSample:
    rows = tx.all(
        "SELECT copy.uuid, copy.state, incoming, run_memory_mib, run_vcpus, started_at, load_cpu, hung"
        " FROM copy JOIN guest ON guest.uuid = copy.uuid WHERE host = ? AND run_memory_mib > 0",
        host.name,
    )
    boot, samples, busy, used = tx.setting("guest_boot_s"), [], 0.0, 0
    moment = tx.now * tx.setting("figures_pace")
    for row in rows:
        percent = 0.0
        if row["state"] in _USES_CPU and not row["hung"]:
            percent = metrics.vm_cpu_percent(
                row["uuid"],
                load_cpu=row["load_cpu"],
                vcpus=row["run_vcpus"],
                now=moment,
                booting=tx.now - (row["started_at"] or 0.0) < boot,
            )
        memory = metrics.vm_memory_mib(row["uuid"], memory_mib=row["run_memory_mib"], now=moment)
        busy += percent / 100 * row["run_vcpus"]
        used += row["run_memory_mib"]
        samples.append(VmSample(row["uuid"], percent, memory))
    return HostSample(
        cpu_percent=metrics.host_cpu_percent(busy, cpus=host.cpus, name=host.name, now=moment),
        memory_used_mib=metrics.host_memory_mib(used, memory_mib=host.memory_mib),
        vms=tuple(samples),
    )


def _migration(tx: Tx, work: Work, host: str) -> Job:
    elapsed = tx.now - work.begun
    if work.peer == host:
        return Job(JobKind.MIGRATION_IN, tx.now, elapsed_s=elapsed, peer=work.host)
    plan = Plan.loads(work.plan)
    seen = precopy.progress(plan, tx.now)
    return Job(
        kind=JobKind.MIGRATION_OUT,
        at=tx.now,
        elapsed_s=elapsed,
        bytes_sent=seen.sent,
        bytes_left=seen.left,
        bytes_total=plan.total if seen.iteration else 0,
        rate=seen.rate,
        dirty_rate=seen.dirty,
        iteration=seen.iteration,
        switching=seen.switching,
        peer=work.peer,
    )


def _file_job(tx: Tx, work: Work) -> Job:
    file = tx.file(work.path)
    total = 0 if file is None else file.size
    rate = tx.setting("disk_mib_s") * MIB
    done = min(total, int((tx.now - work.begun) * rate))
    kind = JobKind.SAVE if work.kind == saves.SAVE else JobKind.RESTORE
    return Job(
        kind,
        tx.now,
        tx.now - work.begun,
        bytes_sent=done,
        bytes_left=total - done,
        bytes_total=total,
        rate=rate,
    )
