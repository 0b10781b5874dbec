"""What is refused for lack of right stands in the audit: once in a minute, with the subject, never a look."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clustermgr.access import Actor
from clustermgr.actions import rights, vms
from clustermgr.core.states import Role
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Operation
from tests import worlds
from tests.api.conftest import Caller, token_of
from tests.web.conftest import MODEL_BACKEND

pytestmark = pytest.mark.django_db
VIC = Actor(name="vic", role=Role.VIEWER, origin="test")


@pytest.fixture
def world(db: None, clock: Any) -> SimpleNamespace:
    return worlds.usual()


def refused() -> list[tuple[str, str, str]]:
    rows = AuditEntry.objects.filter(accepted=False).order_by("id")
    return list(rows.values_list("username", "verb", "subject"))


def turn_off(actor: Actor, vm: Any) -> None:
    with pytest.raises(ActionRefused, match="this needs the role operator"):
        vms.turn_off(actor=actor, vm=vm)


def test_an_order_above_ones_role_is_audited(world: SimpleNamespace) -> None:
    turn_off(VIC, world.web01)
    entry = AuditEntry.objects.get()
    assert (entry.cluster, entry.verb, entry.subject, entry.origin) == (
        world.c1,
        "turn_off",
        "web01",
        "test",
    )
    assert "You are signed in as viewer" in entry.answer


def test_the_same_try_is_written_once_in_a_minute(world: SimpleNamespace, clock: Any) -> None:
    for _ in range(3):
        turn_off(VIC, world.web01)
    turn_off(VIC, world.off01)
    assert [subject for _, _, subject in refused()] == ["web01", "off01"]
    clock.advance(61)
    turn_off(VIC, world.web01)
    assert [subject for _, _, subject in refused()] == ["web01", "off01", "web01"]


@pytest.mark.parametrize("verb", ["view", "own_tokens"])
def test_a_look_is_not(verb: str, world: SimpleNamespace) -> None:
    with pytest.raises(ActionRefused):
        rights.require(Actor("otto", None, "test"), verb, world.c1)
    assert refused() == []


def test_programs_are_told_and_written_down_with_what_they_named(world: SimpleNamespace) -> None:
    vic = Caller(token_of(worlds.viewer()))
    for path in (
        "vms/web01/turn-off",
        "nodes/hv-01/evict",
        f"operations/{world.task.pk}/cancel",
        "take-over",
        "vms/none/turn-off",
    ):
        assert vic.post(f"/clusters/c1/{path}", {}).status_code == 403
    for nowhere in ("none", "a%00b"):
        assert vic.post(f"/clusters/{nowhere}/stand-down", {}).status_code == 403
    assert refused() == [
        ("vic", "turn_off", "web01"),
        ("vic", "evict_node", "hv-01"),
        ("vic", "cancel", "busy01"),
        ("vic", "take_over", "C1"),
        ("vic", "turn_off", "C1"),
        ("vic", "stand_down", ""),
    ]


def test_people_are_too(world: SimpleNamespace, client: Any) -> None:
    client.force_login(worlds.viewer(), backend=MODEL_BACKEND)
    path = f"/c/c1/roles/{world.web01.pk}/power/turn_off/"
    assert client.post(path, {"understood": "1", "key": "k"}).status_code == 403
    assert client.post("/c/c1/management/", {"do": "take_over"}).status_code == 403
    assert refused() == [("vic", "turn_off", "web01"), ("vic", "take_over", "C1")]


def test_an_order_for_what_another_holds_is_audited(world: SimpleNamespace) -> None:
    answer = Caller(token_of(worlds.operator())).post("/clusters/c1/vms/busy01/save")
    assert answer.status_code == 423
    assert refused() == [("oli", "save", "busy01")]


def test_who_has_lost_the_right_is_refused_the_form_that_was_done(
    world: SimpleNamespace, client: Any
) -> None:
    user = worlds.operator()
    client.force_login(user, backend=MODEL_BACKEND)
    path, form = f"/c/c1/roles/{world.web01.pk}/power/save/", {"key": "k"}
    assert client.post(path, form).status_code == 303
    assert client.post(path, form).status_code == 303
    assert Operation.objects.filter(vm=world.web01).count() == 1
    user.membership.role = Role.VIEWER
    user.membership.save()
    assert client.post(path, form).status_code == 403
