"""Orders by token: the same actions as by a click, with keys that keep them from being done twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clustermgr.models import AuditEntry, Operation
from tests import worlds
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("vm", "order", "body", "kind"),
    [
        ("web01", "live-migrate", {"target": "hv-02"}, "live_migration"),
        ("web01", "live-migrate", None, "live_migration"),
        ("web01", "quick-migrate", {"target": "@hv-02"}, "quick_migration"),
        ("web01", "move", {"target": None, "offline_action": "save"}, "move"),
        ("off01", "start", None, "start"),
        ("web01", "shut-down", {"forced": True}, "shut_down"),
        ("web01", "turn-off", None, "turn_off"),
        ("web01", "save", None, "save"),
    ],
)
def test_each_order_becomes_an_operation(
    vm: str, order: str, body: Any, kind: str, world: SimpleNamespace, caller: Any
) -> None:
    answer = caller("operator").post(f"/clusters/c1/vms/{vm}/{order}", body)
    assert answer.status_code == 202, answer.body
    row = Operation.objects.get(pk=answer.body["operation"]["id"])
    assert (row.kind, row.vm.name, row.requested_by) == (kind, vm, "operator")
    entry = AuditEntry.objects.get(operation=row)
    assert entry.origin.startswith("api 127.0.0.1, token ")


def test_a_held_vm_names_what_holds_it(world: SimpleNamespace, admin: Caller) -> None:
    answer = admin.post("/clusters/c1/vms/busy01/save")
    assert answer.status_code == 423
    assert answer.body["operation"] == world.task.pk
    assert answer.body["findings"][0]["code"] == "vm_busy"
    assert "held by another order" in answer.body["findings"][0]["sentence"]


def test_settings_change_and_a_conflict_is_told(world: SimpleNamespace, admin: Caller) -> None:
    path = "/clusters/c1/vms/web01"
    before = admin.get(path).body
    own = {"version": before["config_version"], "changes": {"priority": "high"}}
    done = admin("PATCH", f"{path}/settings", own)
    assert (done.status_code, done.body) == (202, {"operation": None})
    stale = {**own, "changes": {"priority": "low"}, "base": {"priority": "medium"}}
    refused = admin("PATCH", f"{path}/settings", stale)
    assert (refused.status_code, refused.body["findings"][0]["code"]) == (409, "stale_form")
    merged = admin(
        "PATCH", f"{path}/settings", {**own, "changes": {"memory_mib": 2048}, "base": {"memory_mib": 4096}}
    )
    assert merged.body["operation"]["kind"] == "settings"


def test_each_wrong_setting_has_its_field(world: SimpleNamespace, admin: Caller) -> None:
    wrong = {"version": 1, "changes": {"memory_mib": 3, "vcpus": "many", "colour": "red"}}
    answer = admin("PATCH", "/clusters/c1/vms/web01/settings", wrong)
    assert answer.status_code == 422
    assert {each["field"] for each in answer.body["findings"]} == {"memory_mib", "vcpus", "colour"}


def test_drift_is_shown_and_accepted_once(world: SimpleNamespace, admin: Caller) -> None:
    path = "/clusters/c1/vms/off01"
    seen = admin.get(f"{path}/drift").body
    assert [row["field"] for row in seen["fields"]] == ["memory_mib"]
    done = admin.post(f"{path}/refresh", {"fingerprint": seen["fingerprint"]})
    assert (done.status_code, done.body["memory_mib"]) == (200, 8192)
    again = admin.post(f"{path}/refresh", {"fingerprint": seen["fingerprint"]})
    assert (again.status_code, again.body["findings"][0]["code"]) == (409, "no_drift")
    assert admin.get(f"{path}/drift").body["fields"] == []


def test_a_task_is_cancelled_and_then_it_is_too_late(world: SimpleNamespace, admin: Caller) -> None:
    path = f"/clusters/c1/operations/{world.task.pk}"
    done = admin.post(f"{path}/cancel")
    assert (done.status_code, done.body["operation"]["state"]) == (202, "cancelled")
    assert admin.post(f"{path}/cancel").body["findings"][0]["code"] == "not_active"


def test_waiting_ends_with_the_operation_or_the_time(
    world: SimpleNamespace, admin: Caller, clock: Any
) -> None:
    path = f"/clusters/c1/operations/{world.task.pk}"
    began = clock.monotonic()
    assert admin.get(f"{path}?wait=30").body["state"] == "queued"
    assert clock.monotonic() - began == pytest.approx(30)
    Operation.objects.update(state="succeeded")
    assert admin.get(f"{path}?wait=30").body["state"] == "succeeded"
    assert clock.monotonic() - began == pytest.approx(30)


def test_nothing_reaches_into_another_cluster(world: SimpleNamespace, admin: Caller) -> None:
    c2 = worlds.cluster("c2")
    far = worlds.node(c2, "xx-01")
    stranger = worlds.vm("stranger", on=far, volume=worlds.volume(c2, "farcsv"))
    task, event = worlds.operation(stranger), worlds.event(c2, "vm_started", vm=stranger, node=far)
    for part in (
        f"vms/{stranger.pk}",
        "vms/stranger",
        f"nodes/{far.pk}",
        f"operations/{task.pk}",
        f"events/{event.pk}",
    ):
        assert admin.get(f"/clusters/c1/{part}").status_code == 404, part
    for part in (f"vms/{stranger.pk}/turn-off", f"operations/{task.pk}/cancel"):
        assert admin.post(f"/clusters/c1/{part}").status_code == 404, part
    refused = admin.post("/clusters/c1/vms/web01/live-migrate", {"target": far.pk})
    assert (refused.status_code, refused.body["findings"][0]["code"]) == (422, "unknown_node")
    for part in ("", "/vms", "/nodes", "/operations", "/events", "/volumes", "/networks", "/audit"):
        shown = admin.get(f"/clusters/c1{part}").content.decode()
        assert not {"stranger", "xx-01", "farcsv"} & set(shown.replace('"', " ").split()), part
