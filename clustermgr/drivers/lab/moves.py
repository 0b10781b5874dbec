"""Live migration on the simulated hosts: begin, stall, fail, cancel, switch, finish.

The source owns the VM until the end of the switch; until then the target has a paused, incoming copy.
"""

from __future__ import annotations

from dataclasses import replace

from clustermgr.drivers.contract import Busy, DomainState, Refused
from clustermgr.drivers.lab import precopy
from clustermgr.drivers.lab.precopy import Plan
from clustermgr.drivers.lab.reach import check_fits, describe_state, linked
from clustermgr.drivers.lab.rows import MIB, Copy, Guest, Work
from clustermgr.drivers.lab.tx import Tx

KIND = "migration"
COPYING, SWITCHING, STALLED, DOOMED = "copying", "switching", "stalled", "doomed"
_SWITCHING_PAUSED = "switching_paused"  # the guest was suspended before the switch and stays so after it
IN_SWITCH = (SWITCHING, _SWITCHING_PAUSED)
_STOPPED_FOR_SWITCH = "migrating"
_DOOMED_AT = 0.4  # of the first round: a migration that is to fail fails there


def begin(tx: Tx, source: str, uuid: str, target: str, *, bandwidth: int = 0) -> int:
    """Start copying; `bandwidth` in bytes per second, 0 for the link's own. Raises Refused or Busy."""
    copy = tx.copy(source, uuid)
    _check_begin(tx, copy, target)
    guest = tx.guest(uuid)
    assert copy.running is not None
    check_fits(tx, tx.host(target), copy.running, memory_mib=copy.run_memory_mib)
    link = tx.setting("link_mib_s") * MIB
    endless = bool(guest.faults.get("never_converges"))
    plan = precopy.lay_out(
        begun=tx.now,
        setup=tx.setting("migrate_setup_s"),
        total=copy.run_memory_mib * MIB,
        dirty=_dirty(copy, guest),
        bandwidth=min(link, bandwidth) if bandwidth else link,
        endless=endless,
    )
    phase, due = COPYING, plan.switch_at
    if int(guest.faults.get("migrate_fails", 0)) > 0:
        tx.set_faults(uuid, {**guest.faults, "migrate_fails": int(guest.faults["migrate_fails"]) - 1})
        phase, due = DOOMED, plan.legs[0].at + plan.legs[0].seconds * _DOOMED_AT
    _place_incoming(tx, copy, target)
    return tx.begin(KIND, source, uuid, due, phase=phase, peer=target, plan=plan.dumps())


def settle(tx: Tx, work: Work) -> None:
    """A phase has come to its end."""
    if work.phase == COPYING:
        _switch(tx, work)
    elif work.phase in IN_SWITCH:
        _finish(tx, work)
    elif work.phase == DOOMED:
        fail(
            tx,
            work,
            f"{work.peer} stopped receiving memory from {work.host}. The VM still runs on {work.host}.",
        )
    else:
        sentence = f"{work.host} and {work.peer} lost each other. The VM is kept on {work.host}."
        fail(tx, work, sentence, orphan=True)


def fail(tx: Tx, work: Work, sentence: str, *, orphan: bool = False) -> None:
    """End a migration without success: the source goes on, the incoming copy goes.

    `orphan`: the target was not told, and keeps its paused copy for a while.
    """
    tx.end(work, sentence)
    source = tx.find_copy(work.host, work.uuid)
    if source is not None and source.state is DomainState.PAUSED and source.reason == _STOPPED_FOR_SWITCH:
        tx.set_copy(work.host, work.uuid, state=DomainState.RUNNING, reason="")
    there = tx.find_copy(work.peer, work.uuid)
    if orphan and there is not None and there.incoming:
        lost_at = Plan.loads(work.plan).stalled_at or tx.now
        tx.begin("orphan", work.peer, work.uuid, max(tx.now, lost_at + tx.setting("orphan_s")))
    else:
        remove_incoming(tx, work.peer, work.uuid)


def remove_incoming(tx: Tx, host: str, uuid: str) -> None:
    """Drop a paused incoming copy; a definition that the host had before stays."""
    copy = tx.find_copy(host, uuid)
    if copy is None or not copy.incoming:
        return
    if copy.defined:
        tx.set_copy(host, uuid, state=DomainState.OFF, reason="", incoming=0, running=None, **NO_PROCESS)
    else:
        tx.drop_copy(host, uuid)


def abort(tx: Tx, work: Work) -> None:
    """Cancel on the source. Raises Refused once the switch has begun."""
    plan = Plan.loads(work.plan)
    moment = tx.now if plan.stalled_at is None else plan.stalled_at
    if work.phase in IN_SWITCH or (plan.switch_at is not None and moment >= plan.switch_at):
        raise Refused("The VM is being switched to the other host: this cannot be cancelled any more.")
    reached = linked(tx.host(work.host), tx.host(work.peer), tx.now)
    fail(tx, work, "The migration was cancelled.", orphan=not reached)


def stall(tx: Tx, work: Work) -> None:
    """The two hosts lost each other: nothing moves; after the keepalive the source gives up."""
    if work.phase == STALLED:
        return
    plan = replace(Plan.loads(work.plan), stalled_at=tx.now)
    tx.set_work(work, phase=STALLED, plan=plan.dumps(), due=tx.now + tx.setting("keepalive_s"))


def unstall(tx: Tx, work: Work) -> None:
    """The hosts found each other again in time: go on from where it stood."""
    plan = Plan.loads(work.plan)
    there = tx.find_copy(work.peer, work.uuid)
    if work.phase != STALLED or plan.stalled_at is None or there is None or not there.incoming:
        return
    in_switch = plan.switch_at is not None and plan.stalled_at >= plan.switch_at
    plan = precopy.shift(plan, tx.now - plan.stalled_at)
    due = plan.end_at if in_switch else plan.switch_at
    tx.set_work(work, phase=SWITCHING if in_switch else COPYING, plan=plan.dumps(), due=due)


def repace(tx: Tx, uuid: str) -> None:
    """The guest writes faster or slower now, was suspended or resumed: plan the rest anew."""
    work = tx.migration(uuid)
    if work is None or work.phase not in (COPYING, DOOMED):
        return
    copy, guest = tx.copy(work.host, uuid), tx.guest(uuid)
    endless = bool(guest.faults.get("never_converges"))
    plan = precopy.change_dirty_rate(Plan.loads(work.plan), tx.now, _dirty(copy, guest), endless=endless)
    due = work.due if work.phase == DOOMED else plan.switch_at
    tx.set_work(work, plan=plan.dumps(), due=due)


#: Columns of a copy that has no process.
NO_PROCESS: dict[str, object] = {"run_memory_mib": 0, "run_vcpus": 0, "started_at": None}


def _check_begin(tx: Tx, copy: Copy, target: str) -> None:
    if copy.incoming or copy.state not in (DomainState.RUNNING, DomainState.PAUSED):
        raise Refused(f"{describe_state(copy)}: only a running or paused VM can be live migrated.")
    if tx.works(copy.uuid, copy.host):
        raise Busy(f"{copy.name} has another job under way on {copy.host}. Wait for its end or cancel it.")
    if target == copy.host:
        raise Refused(f"{copy.name} is on {target} already.")
    source_host, target_host = tx.host(copy.host), tx.host(target)
    if not linked(source_host, target_host, tx.now) or not target_host.agent:
        raise Refused(
            f"{copy.host} gets no answer from {target}. See whether {target} is up, or choose another."
        )
    there = tx.find_copy(target, copy.uuid)
    if there is not None and there.has_process:
        raise Refused(f"{target} has a process of {copy.name} already. Remove that copy first.")


def _place_incoming(tx: Tx, copy: Copy, target: str) -> None:
    columns: dict[str, object] = {
        "state": DomainState.PAUSED,
        "reason": "migrating in",
        "incoming": 1,
        "running": copy.running,
        "run_memory_mib": copy.run_memory_mib,
        "run_vcpus": copy.run_vcpus,
        "started_at": tx.now,
    }
    if tx.find_copy(target, copy.uuid) is None:
        tx.run(
            "INSERT INTO copy (host, uuid, name, defined, saved, state) VALUES (?, ?, ?, 0, ?, ?)",
            target,
            copy.uuid,
            copy.name,
            copy.saved,
            DomainState.PAUSED,
        )
    tx.set_copy(target, copy.uuid, **columns)


def _switch(tx: Tx, work: Work) -> None:
    source = tx.copy(work.host, work.uuid)
    suspended = source.state is DomainState.PAUSED
    if not suspended:
        tx.set_copy(work.host, work.uuid, state=DomainState.PAUSED, reason=_STOPPED_FOR_SWITCH)
    tx.set_work(work, phase=_SWITCHING_PAUSED if suspended else SWITCHING, due=Plan.loads(work.plan).end_at)


def _finish(tx: Tx, work: Work) -> None:
    source, plan = tx.copy(work.host, work.uuid), Plan.loads(work.plan)
    tx.drop_copy(work.host, work.uuid)
    suspended = work.phase == _SWITCHING_PAUSED
    tx.set_copy(
        work.peer,
        work.uuid,
        name=source.name,
        defined=1,
        saved=source.saved,
        incoming=0,
        autostart=0,
        started_at=source.started_at,
        state=DomainState.PAUSED if suspended else DomainState.RUNNING,
        reason="suspended" if suspended else "",
    )
    seen = precopy.progress(plan, tx.now)
    assert plan.switch_at is not None
    tx.run(
        "INSERT OR REPLACE INTO totals (host, uuid, elapsed_s, downtime_ms, bytes_sent, iterations)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        work.peer,
        work.uuid,
        tx.now - plan.begun,
        0.0 if suspended else (tx.now - plan.switch_at) * 1000,
        seen.sent,
        seen.iteration,
    )
    tx.end(work)


def _dirty(copy: Copy, guest: Guest) -> float:
    return 0.0 if copy.state is DomainState.PAUSED or guest.hung else guest.dirty_mib_s * MIB
