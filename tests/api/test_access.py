"""Every route of the document with every role, an ended token, a session and with nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from clustermgr.access import RANK, VERBS
from clustermgr.api.auth import Bearer
from clustermgr.api.urls import api
from clustermgr.core.states import Role
from clustermgr.models import ApiToken, Operation
from tests import worlds
from tests.api.conftest import Caller, token_of

pytestmark = pytest.mark.django_db
METHODS = ("get", "post", "patch", "put", "delete")
ROUTES = [
    (method, path, details["x-verb"])
    for path, methods in api.get_openapi_schema(path_prefix="/api/v1/")["paths"].items()
    for method, details in methods.items()
]
BODIES = {
    "change_settings": {"version": 1, "changes": {"notes": "x"}, "base": {"notes": ""}},
    "refresh": {"fingerprint": "f" * 64},
    "add_node": {"test": 999},
    "evict_node": {"name": "another"},
    "remove_role": {"name": "another"},
    "declare_volume": {"kind": "csv"},
    "create_cluster": {"name": "Another"},
    "change_cluster": {"changes": {"live_migrations_per_node": 2}, "base": {"live_migrations_per_node": 1}},
    "own_tokens": {"name": "another", "role": "viewer", "days": 3},
}


def address(path: str, world: SimpleNamespace) -> str:
    words = {
        "cluster": "c1",
        "vm": world.web01.pk,
        "node": world.one.pk,
        "volume": world.csv.pk,
        "operation": world.task.pk,
        "event": world.event.pk,
        "test": world.test.pk,
        "token": (ApiToken.objects.order_by("pk").first() or SimpleNamespace(pk=1)).pk,
    }
    return path.format(**words)


def asked(call: Caller, world: SimpleNamespace) -> Iterator[tuple[str, str, Any]]:
    # Revoking ends the caller itself, so it comes last.
    for method, path, verb in sorted(ROUTES, key=lambda route: route[0] == "delete"):
        body = BODIES.get(verb) if method in {"post", "patch"} else None
        yield f"{method} {path}", verb, call(method.upper(), address(path, world), body)


def test_each_route_has_a_guard_with_a_verb_of_the_table() -> None:
    guards = [
        each.auth_callbacks
        for part in api._get_bound_routers()
        for view in part.path_operations.values()
        for each in view.operations
    ]
    assert len(guards) == len(ROUTES)
    assert all(len(each) == 1 and isinstance(each[0], Bearer) for each in guards)
    assert {verb for _, _, verb in ROUTES} <= set(VERBS)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_reaches_what_the_table_says(role: Role, world: SimpleNamespace, caller: Any) -> None:
    for route, verb, answer in asked(caller(role.value), world):
        allowed = RANK[role] >= RANK[VERBS[verb]]
        assert (answer.status_code != 403) == allowed, f"{role} {route}: {answer.status_code}"
        assert answer.status_code not in {401, 405}, route
        assert answer.status_code < 500, route


def test_without_a_role_everything_is_refused(world: SimpleNamespace, caller: Any) -> None:
    for route, _, answer in asked(caller("outsider"), world):
        assert answer.status_code == 403, route
        assert answer.body["findings"][0]["code"] == "not_allowed"


def test_nobody_is_told_to_bring_a_token(world: SimpleNamespace, caller: Any) -> None:
    for route, _, answer in asked(caller("nobody"), world):
        assert answer.status_code == 401, route
        assert answer["WWW-Authenticate"] == "Bearer"
        assert answer.body["findings"][0]["code"] == "no_token"


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ({"revoked_at": "now"}, "token_revoked"),
        ({"expires_at": "now"}, "token_expired"),
        ({"digest": "0" * 64}, "token_unknown"),
    ],
)
def test_an_ended_token_opens_nothing(
    ended: dict[str, Any], code: str, world: SimpleNamespace, admin: Caller, monkeypatch: Any
) -> None:
    monkeypatch.setattr("clustermgr.api.auth.WRONG_TRIES", 1000)
    row = ApiToken.objects.get()
    values = {
        name: row.created_at - timedelta(1) if value == "now" else value for name, value in ended.items()
    }
    ApiToken.objects.update(**values)
    for route, _, answer in asked(admin, world):
        assert answer.status_code == 401, route
        assert answer.body["findings"][0]["code"] == code


def test_an_account_that_is_not_active_opens_nothing(world: SimpleNamespace, admin: Caller) -> None:
    user = ApiToken.objects.get().user
    user.is_active = False
    user.save()
    assert admin.get("/clusters").body["findings"][0]["code"] == "token_inactive"


def test_a_session_is_no_token(world: SimpleNamespace) -> None:
    browser = Client()
    browser.force_login(worlds.admin(), backend="django.contrib.auth.backends.ModelBackend")
    for method, path, _ in ROUTES:
        assert browser.generic(method.upper(), address(path, world)).status_code == 401, path
    assert Operation.objects.count() == 1


def test_a_token_never_exceeds_its_owner(world: SimpleNamespace) -> None:
    ana = worlds.admin()
    call = Caller(token_of(ana))
    assert call.get("/me").body == {"account": "ana", "role": "administrator"}
    ana.membership.role = Role.VIEWER
    ana.membership.save()
    assert call.get("/me").body["role"] == "viewer"
    assert call.post(f"/clusters/c1/vms/{world.web01.pk}/start").status_code == 403


def test_a_token_may_be_less_than_its_owner(world: SimpleNamespace) -> None:
    call = Caller(token_of(worlds.admin(), role="viewer"))
    assert call.get("/clusters").status_code == 200
    assert call.get("/clusters/c1/audit").status_code == 403


@pytest.mark.parametrize("role", ["viewer", "outsider", "nobody"])
def test_an_order_without_the_right_leaves_no_trace(
    role: str, world: SimpleNamespace, caller: Callable[[str], Caller]
) -> None:
    list(asked(caller(role), world))
    world.task.refresh_from_db()
    assert (Operation.objects.count(), world.task.state) == (1, "queued")


def test_after_many_wrong_tokens_an_address_waits(world: SimpleNamespace, clock: Any, caller: Any) -> None:
    good, wrong = caller("viewer"), Caller("cmt_" + "0" * 64)
    assert {wrong.get("/clusters").status_code for _ in range(20)} == {401}
    assert wrong.get("/clusters").status_code == 429
    assert good.get("/clusters")["Retry-After"] == "60"
    clock.advance(61)
    assert good.get("/clusters").status_code == 200


def test_the_document_is_for_everybody_and_names_the_roles(client: Client) -> None:
    answer = client.get("/api/v1/openapi.json")
    found = answer.json()
    assert found["openapi"].startswith("3.1")
    assert found["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"
    order = found["paths"]["/api/v1/clusters/{cluster}/vms/{vm}/start"]["post"]
    assert (order["x-verb"], order["x-role"]) == ("start", "operator")
    assert client.get("/api/v1/docs").status_code == 404
    assert "Set-Cookie" not in answer
