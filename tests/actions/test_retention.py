"""How long the past is kept: nothing that is still needed goes with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from clustermgr.actions import retention
from clustermgr.core.states import OperationState
from clustermgr.models import AuditEntry, Cluster, Event, Operation, Vm
from clustermgr.ports import clock
from tests import worlds
from tests.fakes import VirtualClock

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(clock: VirtualClock) -> Vm:
    return worlds.vm("web01", on=worlds.node(worlds.cluster("c1"), "hv-01"))


def ended(vm: Vm, days: int, **values: Any) -> Operation:
    at = clock().now() - timedelta(days=days)
    state = OperationState.SUCCEEDED
    return worlds.operation(vm, **{"state": state, "created_at": at, "finished_at": at, **values})


def happened(vm: Vm, days: int, **values: Any) -> Event:
    row = worlds.event(vm.cluster, "vm_started", vm=vm, **values)
    Event.objects.filter(pk=row.pk).update(at=clock().now() - timedelta(days=days))
    return row


def ordered(vm: Vm, days: int, **values: Any) -> AuditEntry:
    at = clock().now() - timedelta(days=days)
    return AuditEntry.objects.create(cluster=vm.cluster, at=at, verb="start", accepted=True, **values)


def test_tasks_and_events_go_after_90_days_and_the_audit_after_a_year(web: Vm) -> None:
    kept = [ended(web, 89), happened(web, 89), ordered(web, 364)]
    for row in (ended(web, 91), happened(web, 91), ordered(web, 366)):
        assert row.pk
    version = Cluster.objects.get().version
    assert retention.prune() == 3
    assert [Operation.objects.get(), Event.objects.get(), AuditEntry.objects.get()] == kept
    assert Cluster.objects.get().version == version
    assert retention.prune() == 0


def test_what_is_under_way_stays_with_all_that_it_refers_to(web: Vm) -> None:
    cause = happened(web, 100)
    parent = ended(web, 100)
    active = worlds.operation(web, cause=cause, parent=parent, created_at=clock().now() - timedelta(days=100))
    own = happened(web, 100, operation=active)
    assert retention.prune() == 0
    assert set(Operation.objects.all()) == {parent, active}
    assert set(Event.objects.all()) == {cause, own}


def test_an_audit_entry_outlives_its_task(web: Vm) -> None:
    entry = ordered(web, 100, operation=ended(web, 100))
    retention.prune()
    entry.refresh_from_db()
    assert entry.operation is None


def test_many_go_in_bounded_batches(web: Vm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    monkeypatch.setattr(retention, "MOST", 2)
    for _ in range(10):
        happened(web, 100)
    assert [retention.prune() for _ in range(3)] == [8, 2, 0]
