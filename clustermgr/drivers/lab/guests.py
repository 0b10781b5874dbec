"""Power and configuration of one VM on one simulated host, and the end of its process."""

from __future__ import annotations

import json
from collections.abc import Mapping

from clustermgr.drivers.contract import Busy, DomainState, Failed, Refused
from clustermgr.drivers.lab import definition as definitions
from clustermgr.drivers.lab import moves, saves
from clustermgr.drivers.lab.moves import NO_PROCESS
from clustermgr.drivers.lab.reach import check_fits, check_image_lock, describe_state, disk_volumes
from clustermgr.drivers.lab.rows import Copy, Guest, Work
from clustermgr.drivers.lab.tx import Tx

START, SHUTDOWN = "start", "shutdown"


def begin_start(tx: Tx, host: str, uuid: str, *, run: bool = False) -> int:
    """Start from the saved settings, or from a state that the host kept; paused or, with `run`, running.

    Raises Refused or Busy.
    """
    copy = tx.copy(host, uuid)
    orphan = tx.orphan(uuid, host) if copy.incoming else None
    if copy.incoming and orphan is None:
        raise Busy(f"{copy.name} is arriving on {host} by a migration. Wait for its end or cancel it.")
    if copy.has_process and not copy.incoming:
        raise Refused(f"{describe_state(copy)} already.")
    body = json.loads(copy.saved)
    if orphan is not None:
        # A real host hangs in this call until its stale incoming copy is gone.
        return tx.begin(START, host, uuid, orphan.due, phase="waiting")
    file = saves.managed_file(tx, uuid)
    if copy.state is DomainState.SAVED and file is not None:
        return saves.begin_restore(tx, host, file.path, once=True, run=run)
    check_fits(tx, tx.host(host), copy.saved, memory_mib=body["memory_mib"])
    _put_starting(tx, copy)
    return tx.begin(START, host, uuid, tx.now + tx.setting("start_s"), phase=saves.RUN if run else "")


def settle_start(tx: Tx, work: Work) -> None:
    copy = tx.find_copy(work.host, work.uuid)
    if work.phase == "waiting":
        if copy is None or copy.has_process:
            tx.end(work, f"{work.host} has no definition of this VM to start, or started it already.")
            return
        _put_starting(tx, copy)
        tx.set_work(work, phase="", due=tx.now + tx.setting("start_s"))
        return
    assert copy is not None
    assert copy.running is not None
    sentence = _planned_failure(tx, copy) or check_image_lock(tx, copy, copy.running)
    if sentence:
        end_process(tx, copy, DomainState.OFF, "failed to start")
        tx.end(work, sentence)
    else:
        tx.end(work)
        runs = work.phase == saves.RUN
        state, reason = (DomainState.RUNNING, "") if runs else (DomainState.PAUSED, "started paused")
        tx.set_copy(copy.host, copy.uuid, state=state, reason=reason)


def resume(tx: Tx, host: str, uuid: str) -> None:
    copy = tx.copy(host, uuid)
    if copy.state is DomainState.RUNNING:
        return
    if copy.incoming:
        raise Refused(f"{copy.name} on {host} is the unfinished copy of a migration and cannot be resumed.")
    if copy.state not in (DomainState.PAUSED, DomainState.PAUSED_IO):
        raise Refused(f"{describe_state(copy)}: only a paused VM can be resumed.")
    busy = [work for work in tx.works(uuid, host) if work.kind != moves.KIND or work.phase in moves.IN_SWITCH]
    if busy:
        raise Busy(f"{copy.name} has a job under way on {host}. Wait for its end or cancel it.")
    for volume in disk_volumes(copy.running or copy.saved):
        if not all(tx.attachment(host, volume)):
            raise Failed(f"{copy.name} cannot go on: {host} does not reach its volume {volume}.")
    tx.set_copy(host, uuid, state=DomainState.RUNNING, reason="")
    moves.repace(tx, uuid)


def suspend(tx: Tx, host: str, uuid: str) -> None:
    copy = tx.copy(host, uuid)
    if copy.state in (DomainState.PAUSED, DomainState.PAUSED_IO) and not copy.incoming:
        return
    if copy.state is not DomainState.RUNNING:
        raise Refused(f"{describe_state(copy)}: only a running VM can be paused.")
    tx.set_copy(host, uuid, state=DomainState.PAUSED, reason="suspended")
    moves.repace(tx, uuid)


def destroy(tx: Tx, host: str, uuid: str) -> None:
    copy = tx.copy(host, uuid)
    if copy.has_process:
        end_process(tx, copy, DomainState.OFF, "turned off")


def crash(tx: Tx, host: str, uuid: str) -> None:
    """The guest dies by itself. Raises Refused when there is nothing to crash."""
    copy = tx.copy(host, uuid)
    if not copy.has_process or copy.incoming:
        raise Refused(f"{describe_state(copy)}: only a running VM can crash.")
    end_process(tx, copy, DomainState.CRASHED, "crashed")


def begin_shutdown(tx: Tx, host: str, uuid: str, *, forced: bool) -> None:
    copy, guest = tx.copy(host, uuid), tx.guest(uuid)
    if not copy.has_process:
        return
    if copy.state not in (DomainState.RUNNING, DomainState.STOPPING):
        raise Refused(f"{describe_state(copy)}: its guest cannot shut down. Resume it first, or turn it off.")
    works = tx.works(uuid, host)
    if any(work.kind != SHUTDOWN for work in works):
        raise Busy(f"{copy.name} has a job under way on {host}. Wait for its end or cancel it.")
    deaf = guest.hung or bool(guest.faults.get("stop_hangs"))
    due = None if deaf else tx.now + tx.setting("forced_stop_s" if forced else "stop_s")
    if not works:
        tx.begin(SHUTDOWN, host, uuid, due)
    elif due is not None:
        tx.set_work(works[0], due=due if works[0].due is None else min(due, works[0].due))
    tx.set_copy(host, uuid, state=DomainState.STOPPING, reason="shutting down")


def settle_shutdown(tx: Tx, work: Work) -> None:
    tx.end(work)
    end_process(tx, tx.copy(work.host, work.uuid), DomainState.OFF, "shut down")


def end_process(tx: Tx, copy: Copy, state: DomainState, reason: str) -> None:
    """The process is gone, and with it its jobs; a VM without a definition here is forgotten."""
    for work in tx.works(copy.uuid, copy.host):
        _end_work_of(tx, work, copy, reason)
    orphan = tx.orphan(copy.uuid, copy.host)
    if orphan is not None:
        tx.end(orphan)
    kept = tx.find_copy(copy.host, copy.uuid)
    if kept is None:
        return
    if kept.defined:
        columns: dict[str, object] = {"state": state, "reason": reason, "incoming": 0, "running": None}
        tx.set_copy(copy.host, copy.uuid, **columns, **NO_PROCESS)
    else:
        tx.drop_copy(copy.host, copy.uuid)


def define(tx: Tx, host: str, text: str, stamp: str = "") -> str:
    """Define or redefine; returns the UUID. Raises Refused."""
    text = definitions.filled_in(text)
    if stamp:
        text = definitions.with_stamp(text, stamp)
    settings, uuid = definitions.settings_of(text), json.loads(text)["uuid"]
    if not settings.name or len(settings.name) > 128:
        raise Refused("A VM needs a name of at most 128 characters.")
    sql = "SELECT uuid FROM copy WHERE host = ? AND name = ? AND uuid != ?"
    if tx.one(sql, host, settings.name, uuid) is not None:
        raise Refused(f"{host} has another VM called {settings.name}. Rename one of them first.")
    tx.run(
        "INSERT INTO copy (host, uuid, name, defined, saved, state) VALUES (?, ?, ?, 1, ?, 'off')"
        " ON CONFLICT DO UPDATE SET name = excluded.name, defined = 1, saved = excluded.saved, autostart = 0",
        host,
        uuid,
        settings.name,
        text,
    )
    tx.run(
        "INSERT OR IGNORE INTO guest (uuid, name, dirty_mib_s, load_cpu) VALUES (?, ?, 8, 0.2)",
        uuid,
        settings.name,
    )
    tx.run("UPDATE guest SET name = ? WHERE uuid = ? AND name != ?", settings.name, uuid, settings.name)
    return str(uuid)


def stamp(tx: Tx, host: str, uuid: str, text: str) -> None:
    """Mark a VM for its manager, its definition and its process; "" takes the mark away."""
    copy = tx.copy(host, uuid)
    columns: dict[str, object] = {"saved": definitions.with_stamp(copy.saved, text)}
    if copy.running is not None:
        columns["running"] = definitions.with_stamp(copy.running, text)
    tx.set_copy(host, uuid, **columns)


def undefine(tx: Tx, host: str, uuid: str) -> None:
    copy = tx.find_copy(host, uuid)
    if copy is None or not copy.defined:
        return
    if copy.state is DomainState.SAVED:
        raise Refused(f"{describe_state(copy)}: its saved state would be lost. Restore or discard it first.")
    if copy.has_process:
        tx.set_copy(host, uuid, defined=0, autostart=0)
    else:
        tx.drop_copy(host, uuid)


def apply_settings(tx: Tx, host: str, uuid: str, changes: Mapping[str, object]) -> dict[str, str]:
    """Notes change now; memory and processors of a VM with a process at its next start."""
    copy, machine = tx.copy(host, uuid), tx.host(host)
    definitions.check_changes(changes, host=host, cpus=machine.cpus, memory_mib=machine.memory_mib)
    if not copy.defined:
        raise Refused(f"{copy.name} is not defined on {host} yet: its settings cannot be changed there.")
    if not changes:
        return {}
    columns: dict[str, object] = {"saved": definitions.with_changes(copy.saved, changes)}
    if copy.running is not None and "notes" in changes:
        columns["running"] = definitions.with_changes(copy.running, {"notes": changes["notes"]})
    tx.set_copy(host, uuid, **columns)
    return {field: "now" if field == "notes" or not copy.has_process else "next_start" for field in changes}


def _put_starting(tx: Tx, copy: Copy) -> None:
    body = json.loads(copy.saved)
    tx.set_copy(
        copy.host,
        copy.uuid,
        state=DomainState.STARTING,
        reason="starting",
        running=copy.saved,
        run_memory_mib=body["memory_mib"],
        run_vcpus=body["vcpus"],
        started_at=tx.now,
    )
    tx.run("UPDATE guest SET hung = 0 WHERE uuid = ? AND hung = 1", copy.uuid)


def _planned_failure(tx: Tx, copy: Copy) -> str:
    guest: Guest = tx.guest(copy.uuid)
    faults = dict(guest.faults)
    here = dict(faults.get("start_fails_on", {}))
    if int(here.get(copy.host, 0)) > 0:
        here[copy.host] = int(here[copy.host]) - 1
        faults["start_fails_on"] = here
    elif int(faults.get("start_fails", 0)) > 0:
        faults["start_fails"] = int(faults["start_fails"]) - 1
    else:
        return ""
    tx.set_faults(copy.uuid, faults)
    return f"{copy.host} could not start {copy.name}: the virtual machine process ended at once. Try again."


def _end_work_of(tx: Tx, work: Work, copy: Copy, reason: str) -> None:
    sentence = f"{copy.name} ended on {copy.host} ({reason})."
    if work.kind == moves.KIND:
        moves.fail(tx, work, sentence)
    elif work.kind == saves.SAVE:
        saves.fail_save(tx, work, sentence)
    else:
        tx.end(work, sentence)
