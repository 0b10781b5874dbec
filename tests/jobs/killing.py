"""A worker that is killed after some seconds of virtual time: it gives nothing back."""

from __future__ import annotations

from clustermgr.actions import leases, operations
from clustermgr.jobs.operations import one_step
from clustermgr.jobs.work import Work
from tests.jobs.conftest import Stage


def carry(stage: Stage, operation: int, *, seconds: float) -> Work:
    """Carry an operation for `seconds`, then stop dead. Returns the work as it stood."""
    operations.admit_waiting(stage.cluster)
    assert leases.claim(operation, "worker-1")
    work = Work(operation, "worker-1")
    end = stage.clock.monotonic() + seconds
    while (pause := one_step(work)) is not None and stage.clock.monotonic() < end:
        stage.clock.sleep(max(pause, 0.01))
    return work


def finish(stage: Stage, work: Work) -> None:
    """The same worker goes on to the end."""
    while (pause := one_step(work)) is not None:
        stage.clock.sleep(max(pause, 0.01))
