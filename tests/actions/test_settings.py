"""Settings: of two administrators one wins and the other is told; an order is written whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from clustermgr.access import Actor
from clustermgr.actions import _ledger, settings, vms
from clustermgr.core.states import Role
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Operation, Vm
from tests import worlds

pytestmark = pytest.mark.django_db
ANA = Actor(name="ana", role=Role.ADMINISTRATOR, origin="test")
BEA = Actor(name="bea", role=Role.ADMINISTRATOR, origin="test")


@pytest.fixture
def vm(db: None) -> Vm:
    return worlds.usual().off01


def changed(actor: Actor, vm: Vm, **changes: Any) -> Operation | None:
    base = {name: getattr(vm, name) for name in changes}
    return settings.change_settings(actor=actor, vm=vm, version=vm.config_version, changes=changes, base=base)


def test_of_two_who_read_the_same_the_second_is_told(vm: Vm) -> None:
    mine, theirs = Vm.objects.get(pk=vm.pk), Vm.objects.get(pk=vm.pk)
    changed(ANA, mine, priority="high")
    with pytest.raises(ActionRefused, match="ana changed Startup priority since you opened this form"):
        changed(BEA, theirs, priority="low")
    vm.refresh_from_db()
    assert (vm.priority, vm.config_version) == ("high", 2)


def test_other_fields_of_two_who_read_the_same_merge(vm: Vm) -> None:
    mine, theirs = Vm.objects.get(pk=vm.pk), Vm.objects.get(pk=vm.pk)
    changed(ANA, mine, priority="high")
    changed(BEA, theirs, offline_action="shut_down")
    vm.refresh_from_db()
    assert (vm.priority, vm.offline_action, vm.config_version) == ("high", "shut_down", 3)


def test_an_order_that_comes_between_leaves_nothing_of_it(vm: Vm, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = _ledger.audit

    def while_another_orders(actor: Actor, **words: Any) -> AuditEntry:
        if words["verb"] == "change_settings" and words["accepted"]:
            worlds.operation(vm, "start")
        return audit(actor, **words)

    monkeypatch.setattr(settings, "audit", while_another_orders)
    with pytest.raises(ActionRefused) as held:
        changed(ANA, vm, priority="high", vcpus=3)
    assert held.value.status == 423
    vm.refresh_from_db()
    assert (vm.priority, vm.vcpus, vm.config_version) == ("medium", 2, 1)
    assert not AuditEntry.objects.filter(accepted=True).exists()


def test_a_held_machine_keeps_its_own_fields_too(vm: Vm) -> None:
    vms.start(actor=BEA, vm=vm)
    with pytest.raises(ActionRefused, match="held by another order: start, requested by bea"):
        changed(ANA, vm, priority="high", vcpus=3)
    vm.refresh_from_db()
    assert (vm.priority, vm.config_version) == ("medium", 1)
    assert changed(ANA, vm, priority="high") is None


def test_one_that_left_meanwhile_is_said(vm: Vm) -> None:
    Vm.objects.filter(pk=vm.pk).delete()
    with pytest.raises(ActionRefused, match="left the cluster meanwhile") as gone:
        changed(ANA, vm, priority="high")
    assert gone.value.status == 404
