"""Tokens: shown once, kept as a digest, never above their owner, and ended at once."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import QuerySet

from clustermgr.actions import tokens
from clustermgr.errors import ActionRefused
from clustermgr.models import ApiToken, AuditEntry
from clustermgr.ports import clock
from tests import worlds
from tests.api.conftest import Caller, token_of

pytestmark = pytest.mark.django_db


def test_a_secret_is_shown_once_and_kept_as_a_digest(world: SimpleNamespace, admin: Caller) -> None:
    made = admin.post("/tokens", {"name": "backup", "role": "viewer", "days": 7})
    assert made.status_code == 201
    secret = made.body["secret"]
    assert Caller(secret).get("/me").body["role"] == "viewer"
    assert secret not in admin.get("/tokens").content.decode()
    kept = ApiToken.objects.get(name="backup")
    assert secret not in str(vars(kept))
    assert kept.expires_at - kept.created_at == timedelta(days=7)
    assert not [entry for entry in AuditEntry.objects.all() if secret in str(vars(entry))]


def test_a_token_makes_none_above_itself(world: SimpleNamespace, caller: Any) -> None:
    answer = caller("operator").post("/tokens", {"name": "more", "role": "administrator"})
    assert (answer.status_code, answer.body["findings"][0]["code"]) == (403, "token_above")
    assert AuditEntry.objects.get(subject="more").accepted is False


def test_others_see_only_their_own_and_an_administrator_all(world: SimpleNamespace, caller: Any) -> None:
    viewer, admin = caller("viewer"), caller("administrator")
    assert [row["account"] for row in viewer.get("/tokens").body["items"]] == ["viewer"]
    assert {row["account"] for row in admin.get("/tokens").body["items"]} == {"viewer", "administrator"}
    of_admin = ApiToken.objects.get(user__username="administrator")
    assert viewer("DELETE", f"/tokens/{of_admin.pk}").status_code == 404
    of_viewer = ApiToken.objects.get(user__username="viewer")
    ended = admin("DELETE", f"/tokens/{of_viewer.pk}")
    assert (ended.status_code, ended.body["state"], ended.body["revoked_by"]) == (
        200,
        "revoked",
        "administrator",
    )
    assert viewer.get("/me").status_code == 401


def test_a_lesser_token_ends_no_greater_one_of_its_account(world: SimpleNamespace) -> None:
    ana = worlds.admin()
    token_of(ana, name="great")
    small = Caller(token_of(ana, role="viewer", name="small"))
    great = ApiToken.objects.get(name="great")
    assert small("DELETE", f"/tokens/{great.pk}").status_code == 403
    assert ApiToken.objects.get(name="great").revoked_at is None


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"name": "", "role": "viewer"}, "order.name"),
        ({"name": "x" * 61, "role": "viewer"}, "order.name"),
        ({"name": "a\x00b", "role": "viewer"}, "order.name"),
        ({"name": "test", "role": "viewer"}, "name"),
        ({"name": "n", "role": "king"}, "order.role"),
        ({"name": "n", "role": "viewer", "days": 367}, "order.days"),
        ({"name": "n", "role": "viewer", "days": 0}, "order.days"),
        ({"name": "n", "role": "viewer", "secret": "mine"}, "order.secret"),
    ],
)
def test_what_a_token_needs(order: dict[str, Any], field: str, world: SimpleNamespace, admin: Caller) -> None:
    answer = admin.post("/tokens", order)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.body["findings"]] == [field]


def test_the_last_use_is_told_without_a_write_for_each_request(
    world: SimpleNamespace, admin: Caller, clock: Any, django_assert_num_queries: Any
) -> None:
    admin.get("/me")
    first = ApiToken.objects.get().last_used_at
    clock.advance(30)
    with django_assert_num_queries(1):
        admin.get("/me")
    clock.advance(31)
    admin.get("/me")
    assert ApiToken.objects.get().last_used_at > first


def test_the_token_of_this_machine_is_kept_until_it_nears_its_end(clock: Any) -> None:
    ana = worlds.admin()
    first = tokens.secret_for_this_machine(ana, "")
    assert tokens.secret_for_this_machine(ana, first) == first
    clock.advance(340 * 86400)
    second = tokens.secret_for_this_machine(ana, first)
    assert second != first
    assert ApiToken.objects.filter(revoked_at=None).count() == 1
    assert tokens.secret_for_this_machine(ana, "lost") != second


def test_a_token_of_a_token_ends_with_it(world: SimpleNamespace, clock: Any) -> None:
    parent = Caller(token_of(worlds.operator(), days=1))
    made = parent.post("/tokens", {"name": "child", "role": "operator", "days": 366}).body
    assert made["expires_at"] == parent.get("/tokens").body["items"][-1]["expires_at"]
    child = Caller(made["secret"])
    assert child.get("/me").status_code == 200
    clock.advance(86400)
    assert (parent.get("/me").status_code, child.get("/me").status_code) == (401, 401)


def test_what_a_token_made_is_revoked_with_it(world: SimpleNamespace, admin: Caller) -> None:
    parent = Caller(token_of(worlds.operator()))
    child = Caller(parent.post("/tokens", {"name": "child", "role": "viewer"}).body["secret"])
    grandchild = Caller(child.post("/tokens", {"name": "grandchild", "role": "viewer"}).body["secret"])
    root = ApiToken.objects.get(user__username="oli", parent=None)
    assert admin("DELETE", f"/tokens/{root.pk}").status_code == 200
    assert [each.get("/me").status_code for each in (parent, child, grandchild)] == [401, 401, 401]
    assert AuditEntry.objects.filter(verb="revoke_token").count() == 3
    assert admin.get("/me").status_code == 200


def test_a_token_that_was_just_revoked_makes_none(world: SimpleNamespace) -> None:
    oli = worlds.operator()
    actor = tokens.use(token_of(oli), "here")
    tokens.revoke(actor=actor, token=ApiToken.objects.get())
    with pytest.raises(ActionRefused, match="was revoked"):
        tokens.create(actor=actor, name="child", role="viewer", days=3)
    assert ApiToken.objects.count() == 1


def ended(user: Any, number: int, **values: Any) -> None:
    now = clock().now()
    for n in range(number):
        words = {"name": f"n{n}", "role": "viewer", "digest": f"{n:064d}", "created_at": now}
        ApiToken.objects.create(**{"user": user, "expires_at": now, **words, **values})


def test_no_ended_token_hides_a_good_one(world: SimpleNamespace, admin: Caller) -> None:
    oli = worlds.operator()
    token_of(oli, name="older")
    ended(oli, 101, revoked_at=clock().now())
    first = admin.get("/tokens").body
    assert {row["name"] for row in first["items"][:2]} == {"older", "test"}
    assert (len(first["items"]), first["next_offset"]) == (100, 100)
    assert len(admin.get("/tokens?offset=100").body["items"]) == 3
    assert len(admin.get("/tokens?limit=1").body["items"]) == 1


def test_expired_tokens_leave_room_for_new_ones(world: SimpleNamespace) -> None:
    oli = worlds.operator()
    ended(oli, tokens.MOST_PER_ACCOUNT)
    assert token_of(oli)


def test_a_token_reads_when_nothing_can_be_written(
    world: SimpleNamespace, admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(rows: Any, **values: Any) -> int:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(QuerySet, "update", full)
    assert admin.get("/clusters/c1/vms").status_code == 200
    assert admin.client.get("/metrics", headers=admin.headers).status_code == 200
