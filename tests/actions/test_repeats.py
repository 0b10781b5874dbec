"""An order that another request does between this one's look and its act: one is done, both are answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clustermgr.access import Actor
from clustermgr.actions import clusters, nodes, repeats, settings, vms
from clustermgr.core.states import Role
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Cluster, Node, Operation, OrderKey
from tests import worlds

pytestmark = pytest.mark.django_db
ANA = Actor(name="ana", role=Role.ADMINISTRATOR, origin="test")
Order = Callable[[Actor], Any]


def twice(order: Order) -> tuple[Any, Any]:
    """Both begin; the second acts when the first is done."""
    actor = repeats.sent(ANA, "once", "the same")
    answers: list[Any] = []

    def second() -> Any:
        answers.append(repeats.once(actor, lambda: order(actor), lambda kept: kept))
        return order(actor)

    return repeats.once(actor, second, lambda kept: kept), answers[0]


def test_of_two_live_migrations_one_is_ordered() -> None:
    world = worlds.usual()
    kept, made = twice(lambda actor: vms.live_migrate(actor=actor, vm=world.web01, target=world.two))
    assert kept.operation == made == Operation.objects.get(vm=world.web01)
    assert AuditEntry.objects.count() == 1


def test_of_two_clusters_one_is_made() -> None:
    kept, made = twice(lambda actor: clusters.create_cluster(actor=actor, name="AA"))
    assert kept.cluster == made == Cluster.objects.get()
    assert AuditEntry.objects.count() == 1


def test_of_two_evictions_one_is_done() -> None:
    node = worlds.node(worlds.cluster("c1"), "x1")
    twice(lambda actor: nodes.evict(actor=actor, node=node, typed="x1"))
    assert not Node.objects.exists()
    assert AuditEntry.objects.count() == 1


def test_of_two_changes_one_is_made() -> None:
    vm = worlds.usual().off01
    twice(lambda actor: settings.change_settings(actor=actor, vm=vm, version=1, changes={"priority": "high"}))
    vm.refresh_from_db()
    assert (vm.priority, vm.config_version, AuditEntry.objects.count()) == ("high", 2, 1)


def test_another_order_that_took_the_key_meanwhile_is_told() -> None:
    world = worlds.usual()
    mine, theirs = repeats.sent(ANA, "once", "start"), repeats.sent(ANA, "once", "save")

    def late() -> Operation:
        repeats.once(theirs, lambda: vms.save(actor=theirs, vm=world.web01), lambda kept: None)
        return vms.start(actor=mine, vm=world.off01)

    with pytest.raises(ActionRefused, match="another order: save of web01") as refused:
        repeats.once(mine, late, lambda kept: kept.operation)
    assert refused.value.operation == Operation.objects.get(vm=world.web01).pk
    assert not Operation.objects.filter(vm=world.off01).exists()


def test_a_refused_order_keeps_no_key() -> None:
    world = worlds.usual()
    actor = repeats.sent(ANA, "once", "start")
    with pytest.raises(ActionRefused, match="web01 is running; start needs it off"):
        repeats.once(actor, lambda: vms.start(actor=actor, vm=world.web01), lambda kept: None)
    assert not OrderKey.objects.exists()
