"""The same order with the same key is done once, whatever it is, whoever wins, and whatever became of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from clustermgr.models import ApiToken, AuditEntry, Cluster, Node, Operation, OrderKey, Vm
from tests import worlds
from tests.actions.test_key_material import KEY
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "qemu+ssh://root@hv-08.example/system"
OTHER = "qemu+ssh://root@hv-07.example/system"
VM = "/clusters/c1/vms"
ONCE = {"Idempotency_Key": "once"}

#: name -> method, address, body; and another order, by its address or its body.
ORDERS: dict[str, tuple[str, str, Any, str, Any]] = {
    "live-migrate": ("POST", f"{VM}/web01/live-migrate", {"target": "hv-02"}, "", {"target": "hv-01"}),
    "move": ("POST", f"{VM}/web01/move", {"offline_action": "save"}, "", None),
    "start": ("POST", f"{VM}/off01/start", None, f"{VM}/web01/start", None),
    "shut-down": ("POST", f"{VM}/web01/shut-down", {"forced": True}, "", {"forced": False}),
    "remove": ("POST", f"{VM}/off01/remove", {"name": "off01"}, f"{VM}/web01/remove", {"name": "web01"}),
    "settings": (
        "PATCH",
        f"{VM}/off01/settings",
        {"version": 1, "changes": {"priority": "high"}},
        "",
        {"version": 1, "changes": {"priority": "low"}},
    ),
    "host settings": (
        "PATCH",
        f"{VM}/off01/settings",
        {"version": 1, "changes": {"vcpus": 3, "priority": "high"}},
        "",
        {"version": 1, "changes": {"vcpus": 4, "priority": "high"}},
    ),
    "refresh": (
        "POST",
        f"{VM}/off01/refresh",
        {"fingerprint": "f" * 64},
        "",
        {"fingerprint": "f" * 64, "fields": ["memory_mib"]},
    ),
    "properties": (
        "PATCH",
        "/clusters/c1",
        {"changes": {"live_migrations_per_node": 2}, "base": {"live_migrations_per_node": 1}},
        "",
        {"changes": {"live_migrations_per_node": 3}, "base": {"live_migrations_per_node": 2}},
    ),
    "cluster": ("POST", "/clusters", {"name": "AA"}, "", {"name": "BB"}),
    "test": ("POST", "/clusters/c1/node-tests", {"address": ADDRESS}, "", {"address": OTHER}),
    "test with a key": (
        "POST",
        "/clusters/c1/node-tests",
        {"address": ADDRESS, "ssh_key": KEY},
        "",
        {"address": ADDRESS},
    ),
    "evict": (
        "POST",
        "/clusters/c1/nodes/x1/evict",
        {"name": "x1"},
        "/clusters/c1/nodes/x2/evict",
        {"name": "x2"},
    ),
    "stand-down": ("POST", "/clusters/c1/stand-down", {"reason": "Holiday"}, "", {"reason": "Flood"}),
}


@pytest.fixture
def world(transactional_db: None) -> SimpleNamespace:
    made = worlds.usual()
    for name in ("x1", "x2"):
        worlds.node(made.c1, name)
    return made


def accepted() -> int:
    return AuditEntry.objects.filter(accepted=True).exclude(verb="create_token").count()


@pytest.mark.parametrize("name", ORDERS)
def test_the_same_order_is_answered_and_done_once(name: str, admin: Caller, world: SimpleNamespace) -> None:
    method, path, body, _, _ = ORDERS[name]
    first, again = (admin(method, path, body, **ONCE) for _ in range(2))
    assert first.status_code in {200, 201, 202}, first.body
    assert (again.status_code, again.body) == (first.status_code, first.body)
    assert accepted() == (2 if name == "host settings" else 1)
    assert not AuditEntry.objects.filter(accepted=False).exists()


@pytest.mark.parametrize("name", ORDERS)
def test_another_order_under_its_key_is_refused_by_name(
    name: str, admin: Caller, world: SimpleNamespace
) -> None:
    method, path, body, other, more = ORDERS[name]
    first = admin(method, path, body, **ONCE)
    before = accepted()
    refused = admin(method, other or path, more, **ONCE)
    assert (refused.status_code, refused.body["findings"][0]["code"]) == (409, "repeated_key")
    entry = OrderKey.objects.get().entry
    assert f"{entry.verb.replace('_', ' ')} of {entry.subject}" in refused.body["findings"][0]["sentence"]
    assert refused.body["operation"] == (first.body.get("operation") or {}).get("id")
    assert accepted() == before
    assert AuditEntry.objects.get(accepted=False).verb == "repeated_key"


def test_a_key_belongs_to_its_account(caller: Any, world: SimpleNamespace) -> None:
    path, body = f"{VM}/web01/live-migrate", {"target": "hv-02"}
    first = caller("administrator").post(path, body, **ONCE)
    other = caller("operator").post(path, body, **ONCE)
    assert (first.status_code, other.status_code) == (202, 423)


def test_what_has_failed_since_is_still_that_order(admin: Caller, world: SimpleNamespace) -> None:
    path = f"{VM}/web01/shut-down"
    first = admin.post(path, **ONCE).body["operation"]
    Operation.objects.filter(pk=first["id"]).update(state="failed")
    again = admin.post(path, **ONCE).body["operation"]
    assert (again["id"], again["state"]) == (first["id"], "failed")
    anew = admin.post(path, Idempotency_Key="another").body["operation"]
    assert anew["id"] != first["id"]


def test_a_role_that_is_gone_was_removed_by_that_order(admin: Caller, world: SimpleNamespace) -> None:
    path, body = f"{VM}/off01/remove", {"name": "off01"}
    first = admin.post(path, body, **ONCE).body["operation"]
    Operation.objects.filter(pk=first["id"]).update(state="succeeded", vm=None, gone_vm="off01")
    Vm.objects.filter(name="off01").delete()
    again = admin.post(path, body, **ONCE)
    assert (again.status_code, again.body["operation"]["id"]) == (202, first["id"])
    assert admin.post(path, body).status_code == 404


def test_a_cancel_is_answered_when_the_task_has_ended(admin: Caller, world: SimpleNamespace) -> None:
    path = f"/clusters/c1/operations/{world.task.pk}/cancel"
    states = [admin.post(path, **ONCE).body["operation"]["state"] for _ in range(2)]
    assert states == ["cancelled", "cancelled"]
    assert admin.post(path).status_code == 409


def test_a_take_over_is_done_once(admin: Caller, world: SimpleNamespace) -> None:
    Cluster.objects.update(stood_down_at=world.c1.created_at, stood_down_reason="x", rivals={"them": 3})
    first, again = (admin.post("/clusters/c1/take-over", {"confirm": "C1"}, **ONCE) for _ in range(2))
    assert (first.status_code, again.status_code, again.body) == (200, 200, first.body)


def test_an_order_that_found_nothing_to_do_does_nothing_later(admin: Caller, world: SimpleNamespace) -> None:
    path = "/clusters/c1/resume"
    assert admin.post(path, **ONCE).status_code == 200
    admin.post("/clusters/c1/stand-down", {"reason": "Holiday"})
    assert (admin.post(path, **ONCE).status_code, Cluster.objects.get().stood_down_by) == (
        200,
        "administrator",
    )
    refused = admin.post("/clusters/c1/stand-down", {"reason": "Flood"}, **ONCE)
    assert "another order: one that found nothing to change" in refused.body["findings"][0]["sentence"]


def test_a_secret_is_not_told_twice(admin: Caller, world: SimpleNamespace) -> None:
    order = {"name": "backup", "role": "viewer"}
    assert admin.post("/tokens", order, **ONCE).status_code == 201
    again = admin.post("/tokens", order, **ONCE)
    assert (again.status_code, again.body["findings"][0]["code"]) == (409, "token_made")
    assert ApiToken.objects.filter(name="backup").count() == 1
    token = ApiToken.objects.get(name="backup")
    ended = [admin("DELETE", f"/tokens/{token.pk}", Idempotency_Key="end").status_code for _ in range(2)]
    assert ended == [200, 200]


def test_the_same_node_and_the_same_way_in_are_made_once(admin: Caller, world: SimpleNamespace) -> None:
    body = {"test": world.test.pk}
    nodes = {admin.post("/clusters/c1/nodes", body, **ONCE).body["id"] for _ in range(2)}
    assert nodes == {Node.objects.get(name="hv-09").pk}
    tests = [admin.post("/clusters/c1/nodes/hv-09/access-tests", {}, Idempotency_Key="2") for _ in range(2)]
    assert {test.status_code for test in tests} <= {202, 422}


def test_old_keys_are_forgotten(admin: Caller, world: SimpleNamespace, clock: Any) -> None:
    admin.post(f"{VM}/web01/save", **ONCE)
    clock.advance(8 * 86400)
    admin.post(f"{VM}/off01/start", Idempotency_Key="another")
    assert [row.key for row in OrderKey.objects.all()] == ["another"]


@pytest.mark.parametrize("name", ["live-migrate", "host settings", "settings", "cluster", "evict", "test"])
def test_at_the_same_moment_one_is_done_and_both_are_answered(
    name: str, admin: Caller, world: SimpleNamespace
) -> None:
    method, path, body, _, _ = ORDERS[name]
    answers = _together(lambda: admin(method, path, body, **ONCE))
    assert len({answer.status_code for answer in answers}) == 1, [answer.body for answer in answers]
    assert answers[0].status_code in {200, 201, 202}
    assert OrderKey.objects.count() == 1
    assert not AuditEntry.objects.filter(accepted=False).exists()


def test_at_the_same_moment_one_token_is_made(admin: Caller, world: SimpleNamespace) -> None:
    order = {"name": "backup", "role": "viewer"}
    assert sorted(a.status_code for a in _together(lambda: admin.post("/tokens", order))) == [201, 422, 422]
    assert ApiToken.objects.filter(name="backup").count() == 1


def _together(call: Callable[[], Any]) -> list[Any]:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")

    def one(_: int) -> Any:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as threads:
        return list(threads.map(one, range(3)))
