"""Saving a VM's memory to a file on a volume, and restoring it, paused, from there."""

from __future__ import annotations

import json

from clustermgr.drivers.contract import Busy, DomainState, Failed, NotFound, Refused
from clustermgr.drivers.lab.markers import local_path
from clustermgr.drivers.lab.moves import NO_PROCESS
from clustermgr.drivers.lab.reach import check_fits, check_image_lock, describe_state, volume_of_path
from clustermgr.drivers.lab.rows import MIB, SavedFile, Work
from clustermgr.drivers.lab.tx import Tx

SAVE, RESTORE = "save", "restore"
ONCE = "once"  # a start from a state that the host kept: it ends paused, and the state is spent
RUN = "run"  # the phase of a start or restore made on the host: it ends running, not paused
_WAS_RUNNING, _WAS_PAUSED = "was_running", "was_paused"
_FAILING = "_failing"


def begin_save(tx: Tx, host: str, uuid: str, path: str) -> int:
    """Raises Refused, Busy, or Failed when the volume is not reached. The guest stands still meanwhile."""
    copy = tx.copy(host, uuid)
    if copy.incoming or copy.state not in (DomainState.RUNNING, DomainState.PAUSED):
        raise Refused(f"{describe_state(copy)}: only a running or paused VM can be saved.")
    if tx.works(uuid, host):
        raise Busy(f"{copy.name} has another job under way on {host}. Wait for its end or cancel it.")
    volume = volume_of_path(tx, host, path)
    if tx.file(path) is not None:
        raise Refused(f"There is a saved state at {path} already. Delete it or choose another name.")
    size = copy.run_memory_mib * MIB
    seconds = size / MIB / tx.setting("disk_mib_s")
    phase = _WAS_RUNNING if copy.state is DomainState.RUNNING else _WAS_PAUSED
    guest = tx.guest(uuid)
    if int(guest.faults.get("save_fails", 0)) > 0:
        tx.set_faults(uuid, {**guest.faults, "save_fails": int(guest.faults["save_fails"]) - 1})
        phase, seconds = phase + _FAILING, seconds / 2
    tx.run(
        "INSERT INTO file (path, volume, uuid, name, definition, size, complete)"
        " VALUES (?, ?, ?, ?, ?, ?, 0)",
        path,
        volume.name,
        uuid,
        copy.name,
        json.dumps({"saved": copy.saved, "running": copy.running}),
        size,
    )
    tx.set_copy(host, uuid, state=DomainState.PAUSED, reason="saving")
    return tx.begin(SAVE, host, uuid, tx.now + seconds, phase=phase, path=path)


def begin_restore(tx: Tx, host: str, path: str, *, run: bool = False, once: bool = False) -> int:
    """Ends paused, or, with `run`, running; with either `run` or `once` the file is gone then.

    Raises NotFound, Refused, Busy, or Failed when the volume is not reached.
    """
    volume_of_path(tx, host, path)
    file = tx.file(path)
    if file is None:
        raise NotFound(f"There is no saved state at {path}.")
    if not file.complete:
        raise Failed(
            f"The saved state {path} is incomplete and cannot be restored. Delete it and start the VM."
        )
    copy = tx.find_copy(host, file.uuid)
    if copy is not None and copy.has_process:
        raise Refused(f"{describe_state(copy)} already.")
    _place(tx, host, file)
    seconds = file.size / MIB / tx.setting("disk_mib_s")
    return tx.begin(RESTORE, host, file.uuid, tx.now + seconds, path=path, phase=RUN if run else ONCE * once)


def settle_save(tx: Tx, work: Work) -> None:
    if work.phase.endswith(_FAILING):
        fail_save(tx, work, f"{work.host} could not write {work.path}: the disk reported an error.")
        return
    tx.run("UPDATE file SET complete = 1 WHERE path = ?", work.path)
    copy = tx.copy(work.host, work.uuid)
    if copy.defined:
        columns: dict[str, object] = {
            "state": DomainState.OFF,
            "reason": "saved",
            "running": None,
            **NO_PROCESS,
        }
        tx.set_copy(work.host, work.uuid, **columns)
    else:
        tx.drop_copy(work.host, work.uuid)
    tx.end(work)


def fail_save(tx: Tx, work: Work, sentence: str) -> None:
    """The half-written file goes, and the guest goes on where it stood."""
    tx.run("DELETE FROM file WHERE path = ?", work.path)
    copy = tx.find_copy(work.host, work.uuid)
    if copy is not None and copy.has_process:
        running = work.phase.startswith(_WAS_RUNNING)
        state, reason = (DomainState.RUNNING, "") if running else (DomainState.PAUSED, "suspended")
        tx.set_copy(work.host, work.uuid, state=state, reason=reason)
    tx.end(work, sentence)


def settle_restore(tx: Tx, work: Work) -> None:
    copy = tx.copy(work.host, work.uuid)
    assert copy.running is not None
    file = tx.file(work.path)
    sentence = check_image_lock(tx, copy, copy.running)
    if file is None:
        sentence = f"{work.host} could not restore {copy.name}: {work.path} was deleted meanwhile."
    if sentence:
        fail_restore(tx, work, sentence)
        return
    tx.end(work)
    if work.phase in (RUN, ONCE) and file is not None:
        forget_file(tx, file)
    if work.phase == RUN:
        tx.set_copy(work.host, work.uuid, state=DomainState.RUNNING, reason="")
    else:
        tx.set_copy(work.host, work.uuid, state=DomainState.PAUSED, reason="restored paused")


def fail_restore(tx: Tx, work: Work, sentence: str) -> None:
    copy = tx.find_copy(work.host, work.uuid)
    if copy is not None and copy.defined:
        file = tx.file(work.path)
        kept = file is not None and file.managed
        state = DomainState.SAVED if kept else DomainState.OFF
        tx.set_copy(work.host, work.uuid, state=state, reason="", running=None, **NO_PROCESS)
    else:
        tx.drop_copy(work.host, work.uuid)
    tx.end(work, sentence)


def delete_file(tx: Tx, host: str, path: str) -> None:
    """No error when it is gone already; a VM that its host kept saved by this file is off then."""
    volume = volume_of_path(tx, host, path)
    file = tx.file(local_path(tx, host, volume, path))
    if file is None:
        return
    sql = "SELECT 1 FROM work WHERE state = 'active' AND kind = ? AND path = ? AND uuid = ?"
    if tx.one(sql, SAVE, path, file.uuid) is not None:
        raise Busy(f"{path} is being written. Cancel the save first.")
    forget_file(tx, file)


def forget_file(tx: Tx, file: SavedFile) -> None:
    tx.run("DELETE FROM file WHERE path = ?", file.path)
    if file.managed:
        sql = "UPDATE copy SET state = ?, reason = '' WHERE uuid = ? AND state = ?"
        tx.run(sql, DomainState.OFF, file.uuid, DomainState.SAVED)


def managed_file(tx: Tx, uuid: str) -> SavedFile | None:
    """The state that a host keeps by itself for a VM which it shows as saved."""
    row = tx.one("SELECT * FROM file WHERE uuid = ? AND managed = 1", uuid)
    return None if row is None else SavedFile.of(row)


def _place(tx: Tx, host: str, file: SavedFile) -> None:
    if tx.works(file.uuid, host):
        raise Busy(f"{file.name} has another job under way. Wait for its end or cancel it.")
    kept = json.loads(file.definition)
    running = json.loads(kept["running"])
    check_fits(tx, tx.host(host), kept["running"], memory_mib=running["memory_mib"])
    if tx.find_copy(host, file.uuid) is None:
        tx.run(
            "INSERT INTO copy (host, uuid, name, defined, saved, state) VALUES (?, ?, ?, 0, ?, ?)",
            host,
            file.uuid,
            file.name,
            kept["saved"],
            DomainState.STARTING,
        )
    tx.set_copy(
        host,
        file.uuid,
        state=DomainState.STARTING,
        reason="restoring",
        running=kept["running"],
        run_memory_mib=running["memory_mib"],
        run_vcpus=running["vcpus"],
        started_at=tx.now,
    )
