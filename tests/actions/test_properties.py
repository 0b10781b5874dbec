"""Properties of a cluster: rules, two people at once, and that live migrations obey without a restart."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clustermgr.access import Actor
from clustermgr.actions import operations, standing
from clustermgr.actions.properties import change_cluster
from clustermgr.core.states import OperationState, Role
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Cluster, Event, Operation, Slot
from tests import worlds
from tests.fakes import RecordingRunner, VirtualClock

pytestmark = pytest.mark.django_db(transaction=True)
ANA = Actor(name="ana", role=Role.ADMINISTRATOR, origin="test")
BEA = Actor(name="bea", role=Role.ADMINISTRATOR, origin="test")
BASE = {"live_migrations_per_node": 1, "migration_bandwidth_mib_s": 0, "allow_unsafe_migration": False}


@pytest.fixture
def c1(clock: VirtualClock, runner: RecordingRunner) -> Cluster:
    return worlds.cluster("c1")


def changed(cluster: Cluster, actor: Actor = ANA, **changes: Any) -> Cluster:
    return change_cluster(actor=actor, cluster=cluster, changes=changes, base=BASE)


def test_what_was_changed_is_told_with_what_it_was(c1: Cluster) -> None:
    changed(c1, live_migrations_per_node=2, migration_bandwidth_mib_s=40, allow_unsafe_migration=True)
    c1.refresh_from_db()
    assert [getattr(c1, name) for name in BASE] == [2, 40, True]
    event = Event.objects.get(code="cluster_changed")
    assert (event.actor, event.params["fields"]) == (
        "ana",
        "live migrations per node 2 (was 1), bandwidth of a live migration 40 MB a second (was no limit), "
        "volumes are plain shared directories yes (was no)",
    )
    assert AuditEntry.objects.get(verb="change_cluster").params["live_migrations_per_node"] == 2


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("live_migrations_per_node", 0, "between 1 and 32"),
        ("live_migrations_per_node", "33", "between 1 and 32"),
        ("live_migrations_per_node", True, "between 1 and 32"),
        ("migration_bandwidth_mib_s", -1, "at most 100,000; 0 is no limit"),
        ("migration_bandwidth_mib_s", "9" * 20, "at most 100,000; 0 is no limit"),
        ("allow_unsafe_migration", "maybe", "say yes or no"),
        ("allow_unsafe_migration", 1, "say yes or no"),
        ("version", 7, "“version” is not a property that can be changed here"),
    ],
)
def test_a_wrong_value_gets_its_rule(c1: Cluster, name: str, value: Any, sentence: str) -> None:
    with pytest.raises(ActionRefused, match=sentence) as refusal:
        changed(c1, **{name: value})
    assert refusal.value.status == 422
    assert not AuditEntry.objects.get(verb="change_cluster").accepted


def test_two_people_one_property(c1: Cluster) -> None:
    changed(c1, BEA, live_migrations_per_node=4)
    with pytest.raises(ActionRefused, match="bea changed Live migrations per node since") as refusal:
        changed(c1, live_migrations_per_node=2, allow_unsafe_migration=True)
    c1.refresh_from_db()
    assert (refusal.value.status, c1.live_migrations_per_node, c1.allow_unsafe_migration) == (409, 4, False)


def test_two_people_two_properties_merge(c1: Cluster) -> None:
    changed(c1, BEA, live_migrations_per_node=4)
    changed(c1, migration_bandwidth_mib_s=100)
    c1.refresh_from_db()
    assert (c1.live_migrations_per_node, c1.migration_bandwidth_mib_s) == (4, 100)


def test_the_same_order_twice_is_one(c1: Cluster) -> None:
    for _ in range(2):
        changed(c1, live_migrations_per_node=2)
    assert Event.objects.filter(code="cluster_changed").count() == 1


def test_what_was_read_must_be_said(c1: Cluster) -> None:
    with pytest.raises(ActionRefused, match="Send in “base” the value of live_migrations_per_node"):
        change_cluster(actor=ANA, cluster=c1, changes={"live_migrations_per_node": 2}, base={})


def test_nothing_is_changed_in_a_cluster_that_stands_down_nor_by_an_operator(c1: Cluster) -> None:
    with pytest.raises(ActionRefused, match="needs the role administrator"):
        changed(c1, Actor(name="oli", role=Role.OPERATOR, origin="test"), live_migrations_per_node=2)
    standing.stand_down(actor=ANA, cluster=c1, reason="A test.")
    with pytest.raises(ActionRefused, match="takes no orders"):
        changed(c1, live_migrations_per_node=2)
    c1.refresh_from_db()
    assert c1.live_migrations_per_node == 1


@pytest.fixture
def queue(c1: Cluster) -> SimpleNamespace:
    """Three live migrations from hv-01 to hv-02; the first has the slots of both."""
    one, two = worlds.node(c1, "hv-01"), worlds.node(c1, "hv-02")
    waiting = {"state": OperationState.QUEUED, "phase": "queued"}
    orders = [worlds.operation(worlds.vm(f"web0{n}", on=one), target=two, **waiting) for n in (1, 2, 3)]
    operations.admit_waiting(c1)
    assert holding(one) == {1: "web01"}
    return SimpleNamespace(one=one, orders=orders)


def holding(node: Any) -> dict[int, str]:
    return dict(Slot.objects.filter(node=node).values_list("number", "operation__vm__name"))


def test_a_raised_number_lets_the_next_begin_at_once(
    c1: Cluster, queue: SimpleNamespace, runner: RecordingRunner
) -> None:
    runner.enqueued.clear()
    changed(c1, live_migrations_per_node=2)
    assert operations.ADMIT in runner.names
    operations.admit_waiting(Cluster.objects.get(pk=c1.pk))
    assert holding(queue.one) == {1: "web01", 2: "web02"}
    assert Operation.objects.get(vm__name="web03").wait_reason.endswith("1st in line")


def ended(order: Operation) -> None:
    Slot.objects.filter(operation=order).delete()
    Operation.objects.filter(pk=order.pk).update(state=OperationState.SUCCEEDED)


def test_a_lowered_number_lets_nobody_begin_until_enough_ended(c1: Cluster, queue: SimpleNamespace) -> None:
    name = "live_migrations_per_node"
    changed(c1, **{name: 2})
    operations.admit_waiting(Cluster.objects.get(pk=c1.pk))
    change_cluster(actor=ANA, cluster=c1, changes={name: 1}, base={name: 2})
    ended(queue.orders[0])
    operations.admit_waiting(Cluster.objects.get(pk=c1.pk))
    assert holding(queue.one) == {2: "web02"}
    ended(queue.orders[1])
    operations.admit_waiting(Cluster.objects.get(pk=c1.pk))
    assert holding(queue.one) == {1: "web03"}
