"""Brings a store up to a moment: everything that was due by then happens, in order, at its own time."""

from __future__ import annotations

from collections.abc import Callable

from clustermgr.drivers.lab import guests, hosts, moves, saves
from clustermgr.drivers.lab.rows import Work
from clustermgr.drivers.lab.tx import Tx

_KEEP_ENDED_S = 3600.0


def _settle_orphan(tx: Tx, work: Work) -> None:
    tx.end(work)
    moves.remove_incoming(tx, work.host, work.uuid)


_ENDINGS: dict[str, Callable[[Tx, Work], None]] = {
    guests.START: guests.settle_start,
    guests.SHUTDOWN: guests.settle_shutdown,
    moves.KIND: moves.settle,
    saves.SAVE: saves.settle_save,
    saves.RESTORE: saves.settle_restore,
    hosts.IO_PAUSE: hosts.settle_io_pause,
    "orphan": _settle_orphan,
}


def settle(tx: Tx) -> None:
    """Let everything happen that is due by `tx.now`; the outcome is the same whoever asks, and how often."""
    settled = False
    while (work := tx.next_due()) is not None:
        assert work.due is not None
        with tx.at(work.due):
            _ENDINGS[work.kind](tx, work)
        settled = True
    if settled:
        tx.run("DELETE FROM work WHERE state != 'active' AND due < ?", tx.now - _KEEP_ENDED_S)
