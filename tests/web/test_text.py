"""Characters that no column can hold, or that nobody can see, are refused in words on either database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from clustermgr.models import AuditEntry, Cluster, Operation
from tests.web.asks import text_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["roles/@a%00b/", "nodes/@a%00b/", "roles/?q=a%00b", "events/?a%00b=1"])
def test_an_address_with_a_nul_is_refused(path: str, world: SimpleNamespace, as_: Any) -> None:
    answer = as_("viewer").get(f"/c/c1/{path}")
    assert (answer.status_code, "that is none (NUL)" in text_of(answer)) == (400, True)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/c/c1/roles/{vm}/power/start/", {"key": "a\x00b"}),
        ("/c/c1/nodes/add/", {"key": "a\x00b", "address": "lab:n"}),
        ("/clusters/new/", {"key": "a\x00b", "name": "AA"}),
        ("/c/c1/management/", {"do": "stand_down", "reason": "a\x00b"}),
        ("/sign-in/", {"username": "a\x00b", "password": "x"}),
    ],
)
def test_a_form_with_a_nul_orders_nothing(
    path: str, form: dict[str, str], world: SimpleNamespace, ana: Client
) -> None:
    before = Operation.objects.count()
    answer = ana.post(path.format(vm=world.off01.pk), form)
    assert (answer.status_code, "nothing was changed" in text_of(answer)) == (400, True)
    assert Operation.objects.count() == before
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    "kind",
    ["application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"],
)
def test_a_body_for_programs_is_left_to_the_api(kind: str, world: SimpleNamespace) -> None:
    answer = Client().post("/api/v1/clusters", b"--x", content_type=kind)
    assert answer.status_code == 401


def test_a_reason_can_be_read_by_everybody(world: SimpleNamespace, ana: Client) -> None:
    answer = ana.post("/c/c1/management/", {"do": "stand_down", "reason": "work\u202e done"})
    assert answer.status_code == 422
    assert "A reason has no invisible, control or direction characters; character 5 is U+202E" in text_of(
        answer
    )
    assert Cluster.objects.get().stood_down_at is None
