"""Refresh: accepting a host's configuration, whole or by field, and when that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from clustermgr.access import Actor
from clustermgr.actions import drift as actions
from clustermgr.core.states import OperationState, Role
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Drift, Event, Vm
from clustermgr.secrets import seal, unseal
from tests import worlds

pytestmark = pytest.mark.django_db
OLI = Actor(name="oli", role=Role.OPERATOR, origin="test")
VIC = Actor(name="vic", role=Role.VIEWER, origin="test")
PRINT = "f" * 64


def row(field: str, cluster: Any, host: Any, bucket: str = "changed_outside") -> dict[str, Any]:
    return {"field": field, "cluster": cluster, "host": host, "running": cluster, "bucket": bucket}


@pytest.fixture
def vm() -> Vm:
    node = worlds.node(worlds.cluster("c1"), "hv-01")
    vm = worlds.vm("web01", on=node, definition=seal("old"), fingerprint="a")
    fields = [
        row("memory_mib", 4096, 8192),
        row("notes", "", "new"),
        row("vcpus", 2, 2, "restart_pending"),
        row("nics", [], [{"mac": "52:54:00:00:00:01", "network": "dmz"}]),
    ]
    worlds.drift(vm, fields, definition=seal("new"))
    return vm


def test_everything_is_accepted_and_the_definition_follows(vm: Vm) -> None:
    actions.accept(actor=OLI, vm=vm, fingerprint=PRINT)
    vm.refresh_from_db()
    assert (vm.memory_mib, vm.notes, vm.config_version) == (8192, "new", 2)
    assert vm.settings["nics"][0]["network"] == "dmz"
    assert (unseal(vm.definition), vm.fingerprint) == ("new", PRINT)
    assert not Drift.objects.exists()
    assert Event.objects.get(code="configuration_accepted").actor == "oli"
    assert AuditEntry.objects.get(verb="refresh").accepted


def test_what_the_vm_still_runs_with_is_remembered(vm: Vm) -> None:
    actions.accept(actor=OLI, vm=vm, fingerprint=PRINT, fields=["memory_mib"])
    vm.refresh_from_db()
    assert (vm.memory_mib, vm.pending) == (8192, {"memory_mib": 4096})


def test_one_field_is_accepted_and_the_others_stay_drifted(vm: Vm) -> None:
    actions.accept(actor=OLI, vm=vm, fingerprint=PRINT, fields=["memory_mib"])
    vm.refresh_from_db()
    assert (vm.memory_mib, vm.notes, unseal(vm.definition)) == (8192, "", "old")
    assert [each["field"] for each in Drift.objects.get().fields] == ["notes", "vcpus", "nics"]
    actions.accept(actor=OLI, vm=vm, fingerprint=PRINT, fields=["notes", "nics"])
    vm.refresh_from_db()
    assert (vm.notes, unseal(vm.definition)) == ("new", "new")
    assert not Drift.objects.exists()


@pytest.mark.parametrize(
    ("actor", "given", "status", "words"),
    [
        (VIC, {"fingerprint": PRINT}, 403, "needs the role operator"),
        (OLI, {"fingerprint": "0" * 64}, 409, "changed again since you looked"),
        (OLI, {"fingerprint": PRINT, "fields": ["disks"]}, 422, "does not differ"),
        (OLI, {"fingerprint": PRINT, "fields": ["vcpus"]}, 422, "does not differ"),
        (OLI, {"fingerprint": PRINT, "fields": ["<b>"]}, 422, "does not differ"),
        (OLI, {"fingerprint": PRINT, "fields": []}, 422, "at least one field"),
    ],
)
def test_refusals_change_nothing(vm: Vm, actor: Actor, given: Any, status: int, words: str) -> None:
    with pytest.raises(ActionRefused, match=words) as refusal:
        actions.accept(actor=actor, vm=vm, **given)
    assert refusal.value.status == status
    assert Vm.objects.get().memory_mib == 4096
    assert len(Drift.objects.get().fields) == 4
    assert not Event.objects.exists()


def test_a_vm_in_step_has_nothing_to_accept(vm: Vm) -> None:
    Drift.objects.all().delete()
    with pytest.raises(ActionRefused, match="in step with its host"):
        actions.accept(actor=OLI, vm=vm, fingerprint=PRINT)
    assert not AuditEntry.objects.get().accepted


def test_a_vm_that_an_order_holds_is_left_alone(vm: Vm) -> None:
    held = worlds.operation(vm, state=OperationState.RUNNING)
    with pytest.raises(ActionRefused, match="is held by another order") as refusal:
        actions.accept(actor=OLI, vm=vm, fingerprint=PRINT)
    assert (refusal.value.status, refusal.value.operation) == (423, held.pk)


def test_a_name_that_another_role_has_is_refused(vm: Vm) -> None:
    worlds.vm("db01", on=vm.owner)
    Drift.objects.update(fields=[row("name", "web01", "DB01")])
    with pytest.raises(ActionRefused, match="Another role is called “DB01”"):
        actions.accept(actor=OLI, vm=vm, fingerprint=PRINT)
