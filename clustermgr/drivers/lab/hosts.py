"""What happens to a whole simulated host: power, management path, daemon, storage path, volumes."""

from __future__ import annotations

from clustermgr.drivers.contract import DomainState, Failed, Refused
from clustermgr.drivers.lab import guests, moves, saves
from clustermgr.drivers.lab.moves import NO_PROCESS
from clustermgr.drivers.lab.reach import disk_volumes, linked
from clustermgr.drivers.lab.rows import Copy, Work
from clustermgr.drivers.lab.tx import Tx

IO_PAUSE = "io_pause"


def power_off(tx: Tx, name: str) -> None:
    """The plug is pulled: every process is gone, definitions and half-written files stay."""
    if not tx.host(name).power:
        return
    for work in tx.works_touching(name):
        _lose_power(tx, work, name)
    for copy in tx.copies_on(name):
        if copy.has_process and copy.defined:
            columns: dict[str, object] = {"incoming": 0, "running": None, **NO_PROCESS}
            tx.set_copy(name, copy.uuid, state=DomainState.OFF, reason="its host lost power", **columns)
        elif copy.has_process:
            tx.drop_copy(name, copy.uuid)
    tx.set_host(name, power=0)


def power_on(tx: Tx, name: str) -> None:
    """Answers after the boot time. CSVs are mounted at boot, disks of one owner are not; no VM is started."""
    if tx.host(name).power:
        return
    tx.set_host(name, power=1, agent=1, hangs=0, up_at=tx.now + tx.setting("node_boot_s"))
    for volume in tx.volumes():
        tx.set_attachment(name, volume.name, active=int(volume.kind == "csv"))


def cut_path(tx: Tx, name: str) -> None:
    """Nobody reaches the host over the network, and it reaches nobody; its guests run on."""
    tx.set_host(name, path=0)
    for work in tx.works_touching(name):
        if work.kind == moves.KIND:
            moves.stall(tx, work)


def mend_path(tx: Tx, name: str) -> None:
    tx.set_host(name, path=1)
    for work in tx.works_touching(name):
        if work.kind == moves.KIND and linked(tx.host(work.host), tx.host(work.peer), tx.now):
            moves.unstall(tx, work)


def stop_agent(tx: Tx, name: str) -> None:
    """The hypervisor daemon dies; guests run on. A migration that still copies is given up."""
    tx.set_host(name, agent=0)
    for work in tx.works_touching(name):
        if work.kind == moves.KIND and work.phase not in moves.IN_SWITCH:
            sentence = f"The hypervisor daemon of {name} stopped. The VM is kept on {work.host}."
            moves.fail(tx, work, sentence, orphan=work.peer == name)


def start_agent(tx: Tx, name: str) -> None:
    """A daemon that starts does not know how the VMs ended that it finds off."""
    if not tx.host(name).agent:
        tx.run("UPDATE copy SET reason = '' WHERE host = ? AND state = ?", name, DomainState.OFF)
    tx.set_host(name, agent=1)


def cut_storage(tx: Tx, name: str, volume: str) -> None:
    """The host loses its way to a volume; guests that use it are paused by the next write."""
    _attached(tx, name, volume)
    tx.set_attachment(name, volume, reachable=0)
    root = tx.volume(volume).path.rstrip("/") + "/"
    for work in tx.works_touching(name):
        if work.path.startswith(root) and work.kind in (saves.SAVE, saves.RESTORE):
            sentence = f"{name} lost its path to {volume}."
            (saves.fail_save if work.kind == saves.SAVE else saves.fail_restore)(tx, work, sentence)
    tx.begin(IO_PAUSE, name, "", tx.now + tx.setting("io_pause_s"), path=volume)


def mend_storage(tx: Tx, name: str, volume: str) -> None:
    """The way is back; guests paused meanwhile stay paused until somebody resumes them."""
    _attached(tx, name, volume)
    tx.set_attachment(name, volume, reachable=1)


def settle_io_pause(tx: Tx, work: Work) -> None:
    tx.end(work)
    if tx.attachment(work.host, work.path)[1]:
        return
    for copy in tx.copies_on(work.host):
        if copy.state in (DomainState.RUNNING, DomainState.STOPPING) and _uses(copy, work.path):
            _pause_on_error(tx, copy)


def activate_volume(tx: Tx, name: str, volume: str) -> None:
    """Raises Refused while a disk of one owner is active elsewhere, Failed when it is not reached."""
    known = tx.volume(volume)
    active, reachable = _attached(tx, name, volume)
    if active:
        return
    if not reachable:
        raise Failed(f"{name} does not reach {volume}. Mend its storage path first.")
    if known.kind == "disk":
        sql = (
            "SELECT host FROM attachment JOIN host ON host.name = attachment.host"
            " WHERE volume = ? AND active = 1 AND host.power = 1 AND host != ?"
        )
        row = tx.one(sql, volume, name)
        if row is not None:
            raise Refused(
                f"{volume} is active on {row['host']}: it belongs to one host at a time. Stop it there first."
            )
    tx.set_attachment(name, volume, active=1)


def deactivate_volume(tx: Tx, name: str, volume: str) -> None:
    """Raises Refused while a VM of this host runs on it."""
    _attached(tx, name, volume)
    users = [copy.name for copy in tx.copies_on(name) if copy.has_process and _uses(copy, volume)]
    if users:
        raise Refused(f"{volume} is in use on {name} by {', '.join(users[:5])}. Stop or move them first.")
    tx.set_attachment(name, volume, active=0)


def _lose_power(tx: Tx, work: Work, name: str) -> None:
    sentence = f"{name} lost power."
    if work.kind == moves.KIND and work.host == name:
        moves.fail(tx, work, sentence, orphan=True)
    elif work.kind == moves.KIND:
        moves.stall(tx, work)
    elif work.kind == "orphan":
        tx.end(work)
    elif work.kind == saves.SAVE:
        tx.end(work, sentence + f" {work.path} is incomplete.")
    elif work.kind == saves.RESTORE:
        saves.fail_restore(tx, work, sentence)
    else:
        tx.end(work, sentence)


def _pause_on_error(tx: Tx, copy: Copy) -> None:
    for work in tx.works(copy.uuid, copy.host):
        if work.kind == guests.SHUTDOWN:
            tx.end(work, f"{copy.name} lost its storage.")
    tx.set_copy(copy.host, copy.uuid, state=DomainState.PAUSED_IO, reason="I/O error")
    moves.repace(tx, copy.uuid)


def _uses(copy: Copy, volume: str) -> bool:
    return volume in disk_volumes(copy.running or copy.saved)


def _attached(tx: Tx, name: str, volume: str) -> tuple[bool, bool]:
    tx.host(name)
    tx.volume(volume)
    return tx.attachment(name, volume)
