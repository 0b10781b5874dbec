"""Celery tasks that carry operations: drive one, admit waiting ones, reap what lost its worker."""

from __future__ import annotations

import contextlib
import logging
import threading

from celery.signals import worker_shutting_down
from django.db import DatabaseError

from clustermgr import logs
from clustermgr.actions import leases, reaper
from clustermgr.actions.operations import ADMIT, DRIVE, URGENT, admit_waiting, queue_of
from clustermgr.celery import app
from clustermgr.core.states import OperationKind
from clustermgr.drivers.contract import DriverError, HostUnreachable
from clustermgr.jobs import giving_up, threads
from clustermgr.jobs.endings import hold
from clustermgr.jobs.programs import PROGRAMS
from clustermgr.jobs.standing_down import stand_still
from clustermgr.jobs.threads import Limit
from clustermgr.jobs.work import SILENT_S, Held, StandsDown, Work
from clustermgr.models import Cluster
from clustermgr.ports import clock, new_id, runner

log = logging.getLogger(__name__)
#: An order that can only wait keeps its thread for so long: longer than any patience of a step.
PATIENCE_S = 20.0
#: It is looked at again after this, when none of its nodes was heard before.
PARKED_S = leases.LONGEST_WAIT_S
#: The same when too many wait already, or when what it waits for is no node.
SOON_S = 10.0
#: A message that was sent again and not taken is of no use: another follows.
RESENT_FOR_S = 10.0
_stopping = threading.Event()


@worker_shutting_down.connect
def _stop(**_: object) -> None:
    _stopping.set()


@app.task(name="clustermgr.jobs.operations.drive")
def drive(operation_id: int) -> None:
    """Carry one operation to its end, or give it back when this worker stops."""
    with logs.bound(operation=operation_id):
        _drive(operation_id)


def _drive(operation_id: int) -> None:
    owner = new_id()
    if not leases.claim(operation_id, owner):
        return
    work = Work(operation_id, owner)
    carrier = Carrier(work)
    logs.note(cluster=work.operation.cluster.slug, vm=work.operation.vm.name)
    try:
        while (pause := carrier.turn()) is not None:
            clock().sleep(pause)
            if _stopping.is_set():
                leases.release(operation_id, owner)
                return
    except leases.LeaseLost:
        log.info("operation %s has another owner or was settled", operation_id)
    except Exception:
        # The lease is left to run out: a pause before another worker tries. Nobody waits without a reason.
        log.exception("operation %s stumbled", operation_id)
        with contextlib.suppress(leases.LeaseLost, DatabaseError):
            work.note(
                "An error inside the cluster's own service; it is tried again. Its log has the details."
            )
    finally:
        carrier.close()


class Carrier:
    """One thread with one operation: step by step while something happens, and given back when it can only
    wait for long. What holds meanwhile - holders, slots, the VM's one order - stands in rows."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._limit = Limit.RECOVERY if work.operation.kind == OperationKind.RECOVERY else Limit.ORDINARY
        self._since: float | None = None  # for how long it has only waited, on a place for that

    def turn(self) -> float | None:
        """Seconds until the next, or None: it is settled, or was given back."""
        pause = one_step(self.work)
        if pause is None:
            return None
        if pause < SILENT_S or not (self.work.stalled or self.work.silent):
            return self._moves(pause)
        if giving_up.given_up(self.work):
            return None
        return None if not self._may_wait() and self._park() else pause

    def close(self) -> None:
        self._wait_no_longer()
        self.work.close()

    def _moves(self, pause: float) -> float:
        self._wait_no_longer()
        if self.work.operation.due_at is not None:
            leases.renew(self.work.operation, due_at=None)
        return pause

    def _may_wait(self) -> bool:
        now = clock().monotonic()
        if self._since is None:
            if not threads.PLACES.wait(self._limit):
                return False
            self._since = now
        return now - self._since < PATIENCE_S

    def _wait_no_longer(self) -> None:
        if self._since is not None:
            threads.PLACES.go_on()
        self._since = None

    def _park(self) -> bool:
        whole = self._since is not None and bool(self.work.silent)
        return leases.park(self.work.operation, seconds=PARKED_S if whole else SOON_S)


def one_step(work: Work) -> float | None:
    """One look and one act. Seconds until the next, or None when the operation is settled."""
    work.refresh()
    try:
        return _carried(work)
    except StandsDown as met:
        return stand_still(work, met)
    except HostUnreachable as error:
        return _stalled(work, error)
    except DriverError as error:
        log.warning("operation %s: %s (%s)", work.operation_id, error.sentence, error.raw)
        return _stalled(work, error)


def _stalled(work: Work, error: DriverError) -> float:
    work.note(error.sentence)
    leases.renew(work.operation)
    work.stalled = True
    return SILENT_S


def _carried(work: Work) -> float | None:
    try:
        return PROGRAMS[work.operation.kind](work)
    except Held as held:
        return hold(work, held)


@app.task(name="clustermgr.jobs.operations.admit")
def admit(cluster_id: int) -> None:
    cluster = Cluster.objects.filter(pk=cluster_id).first()
    if cluster is not None:
        admit_waiting(cluster)


@app.task(name="clustermgr.jobs.operations.reap")
def reap() -> None:
    """Re-send messages for orders whose worker died, whose message was lost, or that waited for this time."""
    operations, clusters = reaper.orphans()
    for operation_id, kind in operations.items():
        runner().enqueue(DRIVE, operation_id, queue=queue_of(kind), expires=RESENT_FOR_S)
    for cluster_id in clusters:
        runner().enqueue(ADMIT, cluster_id, queue=URGENT, expires=RESENT_FOR_S)
