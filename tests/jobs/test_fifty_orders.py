"""Fifty orders at once over three nodes: never two at a node, none lost, each waits with a reason."""

from __future__ import annotations

from collections import Counter

from clustermgr.actions import leases, operations, vms
from clustermgr.core.states import ACTIVE, OperationState
from clustermgr.drivers.contract import JobKind
from clustermgr.drivers.registry import connect
from clustermgr.jobs.operations import one_step
from clustermgr.jobs.work import Work
from clustermgr.models import Operation, Slot
from tests.jobs.conftest import Stage
from tests.jobs.joining import join_new_vms


def test_fifty_orders_at_once(stage: Stage) -> None:
    names = [f"vm{number:02}" for number in range(50)]
    for number, name in enumerate(names):
        stage.world.vm(name, on=f"n{number % 3 + 1}", memory_mib=512)
    join_new_vms(stage)
    for number, name in enumerate(names):
        target = stage.node(f"n{(number + 1) % 3 + 1}")
        vms.live_migrate(actor=stage.actor, vm=stage.vm(name), target=target)
    stage.runner.enqueued.clear()
    workers: dict[int, Work] = {}
    for _ in range(3000):
        if not Operation.objects.filter(state__in=ACTIVE).exists():
            break
        turn(stage, workers)
        stage.clock.advance(0.25)
    assert Counter(Operation.objects.values_list("state", flat=True)) == {OperationState.SUCCEEDED: 50}
    assert stage.world.double_runs() == []
    assert not Slot.objects.exists()


def turn(stage: Stage, workers: dict[int, Work]) -> None:
    """Every worker makes one step; whoever holds slots and has no worker gets one."""
    operations.admit_waiting(stage.cluster)
    for operation in Operation.objects.filter(state__in=ACTIVE, slots__isnull=False).distinct():
        if operation.pk not in workers and leases.claim(operation.pk, f"worker-{operation.pk}"):
            workers[operation.pk] = Work(operation.pk, f"worker-{operation.pk}")
    for pk, work in list(workers.items()):
        if one_step(work) is None:
            del workers[pk]
    waiting = Operation.objects.filter(state=OperationState.QUEUED, slots__isnull=True)
    operations.admit_waiting(stage.cluster)
    assert all("in line" in reason for reason in waiting.values_list("wait_reason", flat=True))
    assert busiest(stage) <= 1


def busiest(stage: Stage) -> int:
    """The most live migrations at any one node, to or from it, as the hosts themselves say."""
    at: Counter[str] = Counter()
    for name in ("n1", "n2", "n3"):
        host = connect("lab", f"lab:{name}")
        for job in host.jobs([sight.uuid for sight in host.sights()]).values():
            if job.kind in (JobKind.MIGRATION_OUT, JobKind.MIGRATION_IN):
                at[name] += 1
    return max(at.values(), default=0)
