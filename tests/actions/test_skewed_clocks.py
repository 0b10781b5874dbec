"""Two machines whose clocks differ by minutes: leases go by the database's clock, and so do rows.

These run in real time, on whichever database the tests have.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection

from clustermgr import ports
from clustermgr.actions import leases, reaper, watching
from clustermgr.models import Operation, WatchShard
from clustermgr.ports import RealClock, clock
from tests import worlds

pytestmark = pytest.mark.django_db
MINUTES = (-7, 0, 7)


class MachineClock(RealClock):
    """The clock of a machine that is `minutes` ahead of the database's."""

    def __init__(self, minutes: float) -> None:
        super().__init__()
        self._error = timedelta(minutes=minutes)

    def _local(self) -> datetime:
        return super()._local() + self._error


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    real = ports.clock()
    yield
    ports.install(clock=real)


def on_machine(minutes: float) -> None:
    ports.install(clock=MachineClock(minutes))


@pytest.fixture
def order() -> Operation:
    return worlds.operation(worlds.usual().web01, kind="shut_down", state="running")


def lease_ends_in(row: Operation | WatchShard, seconds: float) -> None:
    type(row).objects.filter(pk=row.pk).update(
        lease_expires=RealClock().database_now() + timedelta(seconds=seconds)
    )


@pytest.mark.parametrize("second", MINUTES)
@pytest.mark.parametrize("first", MINUTES)
def test_an_operation_has_one_owner_whatever_the_machines_clocks_say(
    order: Operation, first: int, second: int
) -> None:
    on_machine(first)
    assert leases.claim(order.pk, "one")
    on_machine(second)
    assert not leases.claim(order.pk, "two")
    assert reaper.orphans() == ({}, [])
    leases.renew(leases.owned(order.pk, "one"))
    assert not leases.claim(order.pk, "two")


@pytest.mark.parametrize("minutes", MINUTES)
def test_a_lease_that_ended_is_free_on_every_machine_at_once(order: Operation, minutes: int) -> None:
    on_machine(0)
    assert leases.claim(order.pk, "one")
    lease_ends_in(order, -0.1)
    on_machine(minutes)
    assert list(reaper.orphans()[0]) == [order.pk]
    assert leases.claim(order.pk, "two")
    with pytest.raises(leases.LeaseLost):
        leases.owned(order.pk, "one")


@pytest.mark.parametrize("minutes", MINUTES)
def test_a_cluster_has_one_watcher_whatever_the_machines_clocks_say(minutes: int) -> None:
    cluster = worlds.usual().c1
    watching.free(cluster.pk, WatchShard.objects.get().lease_owner)
    on_machine(0)
    assert watching.take(cluster.pk, "one")
    on_machine(minutes)
    assert not watching.take(cluster.pk, "two")
    assert watching.due() == []
    on_machine(-minutes)
    assert watching.heard(cluster.pk, "one")


@pytest.mark.parametrize("minutes", MINUTES)
def test_a_watcher_that_died_is_followed_on_every_machine_at_once(minutes: int) -> None:
    cluster = worlds.usual().c1
    shard = WatchShard.objects.get()
    WatchShard.objects.update(lease_owner="one", sent_at=None)
    lease_ends_in(shard, -0.1)
    on_machine(minutes)
    assert not watching.heard(cluster.pk, "one")
    assert watching.due() == [cluster.pk]
    assert watching.due() == []
    assert watching.take(cluster.pk, "two")


@pytest.mark.parametrize("minutes", MINUTES)
def test_an_order_whose_message_was_lost_is_sent_again_whoever_wrote_it(minutes: int) -> None:
    usual = worlds.usual()
    on_machine(minutes)
    stale = clock().now() - timedelta(seconds=2 * reaper.STALE_S)
    order = worlds.operation(usual.web01, kind="shut_down", created_at=stale)
    on_machine(0)
    assert list(reaper.orphans()[0]) == [order.pk]


def test_after_a_clock_was_set_back_a_dead_workers_lease_ends_in_its_usual_time(order: Operation) -> None:
    """And not at once: the one who holds it may live, and be about to call a host."""
    assert leases.claim(order.pk, "one")
    lease_ends_in(order, 3600)
    assert reaper.orphans() == ({}, [])
    assert not leases.claim(order.pk, "two")
    order.refresh_from_db()
    left = order.lease_expires - RealClock().now()
    assert leases.LEASE_S - 5 < left.total_seconds() <= leases.LEASE_S
    lease_ends_in(order, -0.1)
    assert list(reaper.orphans()[0]) == [order.pk]


def test_after_a_clock_was_set_back_what_waits_is_looked_at_again_in_time(order: Operation) -> None:
    later = RealClock().database_now() + timedelta(hours=1)
    Operation.objects.filter(pk=order.pk).update(lease_owner="", due_at=later)
    reaper.orphans()
    order.refresh_from_db()
    left = order.due_at - RealClock().now()
    assert left.total_seconds() <= leases.LONGEST_WAIT_S


def test_after_a_clock_was_set_back_a_dead_watcher_is_followed() -> None:
    cluster = worlds.usual().c1
    shard = WatchShard.objects.get()
    later = RealClock().database_now() + timedelta(hours=1)
    WatchShard.objects.update(lease_owner="one", lease_expires=later, sent_at=later)
    assert watching.due() == []
    assert not watching.take(cluster.pk, "two")
    left = WatchShard.objects.get().lease_expires - RealClock().now()
    assert left.total_seconds() <= watching.LEASE_S
    lease_ends_in(shard, -0.1)
    assert watching.due() == [cluster.pk]
    assert watching.due() == []


class SlowDatabase(RealClock):
    """Each look at the clock that only goes forward comes `late` seconds after the last."""

    def __init__(self, late: float) -> None:
        super().__init__()
        self._late, self._at = late, 0.0

    def monotonic(self) -> float:
        self._at += self._late
        return self._at


def test_no_host_is_called_with_too_little_of_the_lease_left(order: Operation) -> None:
    leases.claim(order.pk, "one")
    ports.install(clock=SlowDatabase(4.0))
    leases.secure(leases.owned(order.pk, "one"))
    ports.install(clock=SlowDatabase(11.0))
    with pytest.raises(leases.LeaseLost):
        leases.secure(leases.owned(order.pk, "one"))


class Server(SimpleNamespace):
    """A database connection whose server tells its time: now, in truth."""

    vendor = "postgresql"

    @property
    def connection(self) -> Server:
        return self

    def execute(self, statement: str) -> Server:
        return self

    def fetchone(self) -> tuple[datetime]:
        return (RealClock()._local(),)


@pytest.mark.parametrize("minutes", MINUTES)
def test_rows_of_all_machines_have_the_databases_time(minutes: int) -> None:
    machine = MachineClock(minutes)
    machine.follow(Server())
    assert abs((machine.now() - RealClock().now()).total_seconds()) < 1


def test_a_machine_that_agrees_with_the_database_keeps_its_own_clock() -> None:
    machine = MachineClock(0)
    machine.follow(Server())
    assert machine._behind == timedelta()


def test_the_clock_of_this_process_follows_its_database() -> None:
    machine = MachineClock(30 if connection.vendor == "postgresql" else 0)
    ports.install(clock=machine)
    connection.ensure_connection()
    ports.follow_database(connection=connection)
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        told = cursor.fetchone()[0]
    told = told if isinstance(told, datetime) else datetime.fromisoformat(told).replace(tzinfo=UTC)
    assert abs((machine.now() - told).total_seconds()) < 60
