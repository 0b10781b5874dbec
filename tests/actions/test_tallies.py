"""What operations came to is counted once, in the transaction that settles them."""

from __future__ import annotations

import pytest

from clustermgr.access import Actor
from clustermgr.actions import leases, operations
from clustermgr.core.states import OperationState, Role
from clustermgr.models import Operation, OperationTally
from tests import worlds
from tests.fakes import VirtualClock

pytestmark = pytest.mark.django_db
ANA = Actor(name="ana", role=Role.ADMINISTRATOR, origin="test")


def carried_to_its_end(clock: VirtualClock, *, seconds: float, name: str = "web01") -> Operation:
    cluster = worlds.Cluster.objects.first() or worlds.cluster("c1")
    vm = worlds.vm(name, on=cluster.nodes.first() or worlds.node(cluster, "hv-01"))
    row = worlds.operation(vm, kind="start", lease_owner="me")
    clock.advance(seconds)
    leases.settle(row, OperationState.SUCCEEDED, outcome="It runs.")
    return row


def counted() -> dict[tuple[str, str, str], tuple[int, float]]:
    columns = ("kind", "outcome", "within_s", "number", "seconds")
    return {(*row[:3],): row[3:] for row in OperationTally.objects.values_list(*columns)}


def test_operations_of_one_class_are_counted_together(clock: VirtualClock) -> None:
    carried_to_its_end(clock, seconds=3)
    carried_to_its_end(clock, seconds=4, name="web02")
    carried_to_its_end(clock, seconds=40, name="web03")
    assert counted() == {
        ("start", "succeeded", "5.0"): (2, 7.0),
        ("start", "succeeded", "60.0"): (1, 40.0),
    }


def test_what_is_cancelled_in_the_queue_took_no_time(clock: VirtualClock) -> None:
    vm = worlds.vm("web01", on=worlds.node(worlds.cluster("c1"), "hv-01"))
    row = worlds.operation(vm, state=OperationState.QUEUED, phase="queued", started_at=None)
    clock.advance(40)
    operations.cancel(actor=ANA, operation=row)
    assert counted() == {("live_migration", "cancelled", ""): (1, 0.0)}


def test_a_settlement_that_came_too_late_counts_nothing(clock: VirtualClock) -> None:
    row = carried_to_its_end(clock, seconds=3)
    with pytest.raises(leases.LeaseLost):
        leases.settle(row, OperationState.FAILED, outcome="No.")
    assert [number for number, _ in counted().values()] == [1]
