"""Celery tasks that carry operations: drive one, admit waiting ones, reap what lost its worker."""

from __future__ import annotations

import contextlib
import logging
import threading

from celery.signals import worker_shutting_down
from django.db import DatabaseError

from clustermgr import logs
from clustermgr.actions import leases, reaper
from clustermgr.actions.operations import admit_waiting
from clustermgr.celery import app
from clustermgr.drivers.contract import DriverError, HostUnreachable
from clustermgr.jobs.endings import hold
from clustermgr.jobs.programs import PROGRAMS
from clustermgr.jobs.standing_down import stand_still
from clustermgr.jobs.work import SILENT_S, Held, StandsDown, Work
from clustermgr.models import Cluster
from clustermgr.ports import clock, new_id, runner

log = logging.getLogger(__name__)
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
    logs.note(cluster=work.operation.cluster.slug, vm=work.operation.vm.name)
    try:
        while (pause := one_step(work)) is not None:
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
        work.close()


def one_step(work: Work) -> float | None:
    """One look and one act. Seconds until the next, or None when the operation is settled."""
    work.refresh()
    try:
        return PROGRAMS[work.operation.kind](work)
    except StandsDown as met:
        return stand_still(work, met)
    except Held as held:
        return hold(work, held)
    except HostUnreachable as error:
        work.note(error.sentence)
        leases.renew(work.operation)
        return SILENT_S
    except DriverError as error:
        log.warning("operation %s: %s (%s)", work.operation_id, error.sentence, error.raw)
        work.note(error.sentence)
        leases.renew(work.operation)
        return SILENT_S


@app.task(name="clustermgr.jobs.operations.admit")
def admit(cluster_id: int) -> None:
    cluster = Cluster.objects.filter(pk=cluster_id).first()
    if cluster is not None:
        admit_waiting(cluster)


@app.task(name="clustermgr.jobs.operations.reap")
def reap() -> None:
    """Re-send messages for orders whose worker died or whose message was lost."""
    operations, clusters = reaper.orphans()
    for operation_id in operations:
        runner().enqueue("clustermgr.jobs.operations.drive", operation_id)
    for cluster_id in clusters:
        runner().enqueue("clustermgr.jobs.operations.admit", cluster_id)
