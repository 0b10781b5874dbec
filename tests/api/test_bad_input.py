"""What a program sends by mistake or on purpose: a clear answer in one shape, never a 5xx."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db
SCRIPT = "<script>alert(1)</script>"
NAMES = [
    SCRIPT,
    "%00",
    "a%00b",
    "%ff%fe",
    "9" * 30,
    "9" * 5000,
    "x" * 101,
    "@",
    "..%2f..",
    "' OR 1=1 --",
    "💥",
]


def in_shape(answer: Any) -> None:
    assert 400 <= answer.status_code < 500, answer.content[:300]
    assert set(answer.body) == {"findings", "operation"}
    for found in answer.body["findings"]:
        assert set(found) == {"code", "sentence", "field", "params"}
        assert found["sentence"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_no_object_has(name: str, world: SimpleNamespace, admin: Caller) -> None:
    quoted = name.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")
    for path in (f"/clusters/{quoted}", f"/clusters/c1/vms/{quoted}", f"/clusters/c1/nodes/{quoted}",
                 f"/clusters/c1/operations/{quoted}", f"/clusters/c1/events/{quoted}"):  # fmt: skip
        in_shape(admin.get(path))
    in_shape(admin.post("/clusters/c1/vms/web01/live-migrate", {"target": name}))


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'"\xff\xfe"',
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b'{"target": ' + b"9" * 5000 + b"}",
        b'{"target": 1e400}',
        b'{"target": "\\ud800"}',
        b'{"target": "a\\u0000b"}',
        b'{"target": ["hv-02"]}',
        b'{"node": "hv-02"}',
        b"[]",
        b"null0",
        SCRIPT.encode(),
    ],
    ids=range(13),
)
def test_bodies_that_are_no_order(body: bytes, world: SimpleNamespace, admin: Caller) -> None:
    in_shape(admin.post("/clusters/c1/vms/web01/live-migrate", body))
    assert world.c1.operations.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"version":1,"changes":{"notes":"\\ud800"}}',
        b'{"version":1,"changes":{"\\ud800":"x"}}',
        b'{"version":1,"changes":{"notes":"x"},"base":{"notes":"\\ud800"}}',
        b'{"version":1,"changes":{"notes":"x\\u0000"}}',
        b'{"version":1,"changes":{"memory_mib":' + b"9" * 400 + b"}}",
        b'{"version":1,"changes":{"memory_mib":NaN}}',
        b'{"version":1,"changes":{}}',
        b'{"version":1,"changes":{"a\\u0000b":"x"}}',
        b'{"version":0,"changes":{"notes":"x"}}',
    ],
    ids=range(9),
)
def test_settings_that_are_none(body: bytes, world: SimpleNamespace, admin: Caller) -> None:
    in_shape(admin("PATCH", "/clusters/c1/vms/web01/settings", body))


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "offset=-1", "offset=" + "9" * 40, "state=flying", "sort=colour",
     "q=%00", "node=nowhere", "node=%00", "q=" + "x" * 101, "drift=maybe"],
)  # fmt: skip
def test_wrong_filters_are_named(query: str, world: SimpleNamespace, admin: Caller) -> None:
    answer = admin.get(f"/clusters/c1/vms?{query}")
    in_shape(answer)
    assert answer.status_code == 422


@pytest.mark.parametrize("wait", ["31", "-1", "x", "9" * 20])
def test_waiting_has_its_limits(wait: str, world: SimpleNamespace, admin: Caller) -> None:
    in_shape(admin.get(f"/clusters/c1/operations/{world.task.pk}?wait={wait}"))


@pytest.mark.parametrize("key", ["", "x" * 65, "two words", "é"])
def test_a_key_is_a_plain_word(key: str, world: SimpleNamespace, admin: Caller) -> None:
    in_shape(admin.post("/clusters/c1/vms/off01/start", Idempotency_Key=key))


def test_a_large_body_is_refused_by_its_size(world: SimpleNamespace, admin: Caller) -> None:
    notes = {"version": 1, "changes": {"notes": "x" * 2_000_000}}
    answer = admin("PATCH", "/clusters/c1/vms/web01/settings", notes)
    assert (answer.status_code, answer.body["findings"][0]["code"]) == (413, "too_large")


def test_unknown_addresses_and_methods_answer_in_the_same_shape(
    world: SimpleNamespace, admin: Caller
) -> None:
    for path in (
        "",
        "/",
        "/nothing",
        "/api",
        "/api/v2/clusters",
        "/%0a",
        "/clusters/",
        "/clusters/c1/vms/web01/fly",
        "/%00",
    ):
        answer = admin.get(path)
        in_shape(answer)
        assert answer.status_code == 404, path
    wrong = admin("PUT", "/clusters")
    assert (wrong.status_code, set(wrong["Allow"].split(", "))) == (405, {"GET", "POST"})
    in_shape(wrong)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer \x00", "Bearer é", "Bearer " + "x" * 9000]
)
def test_headers_that_are_no_token(header: str, world: SimpleNamespace) -> None:
    call = Caller(None)
    call.headers = {"Authorization": header}
    answer = call.get("/clusters")
    in_shape(answer)
    assert answer.status_code == 401


def test_a_script_in_notes_comes_back_as_it_was(world: SimpleNamespace, admin: Caller) -> None:
    world.web01.notes = SCRIPT
    world.web01.save(update_fields=["notes"])
    answer = admin.get("/clusters/c1/vms/web01")
    assert answer.body["notes"] == SCRIPT
    assert answer["Content-Type"].startswith("application/json")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "no-store"
    json.loads(answer.content)


def test_a_broken_database_is_one_sentence(world: SimpleNamespace, admin: Caller, monkeypatch: Any) -> None:
    from django.db import OperationalError

    def gone(*_: object) -> None:
        raise OperationalError("no answer")

    monkeypatch.setattr("clustermgr.queries.overview.clusters", gone)
    answer = admin.get("/clusters")
    assert (answer.status_code, answer.body["findings"][0]["code"]) == (503, "database_gone")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/clusters/c1/vms/web01/live-migrate", {"target": True}),
        ("PATCH", "/clusters/c1/vms/off01/settings", {"version": 1, "changes": {"vcpus": True}}),
        ("PATCH", "/clusters/c1/vms/off01/settings", {"version": True, "changes": {"vcpus": 3}}),
        ("PATCH", "/clusters/c1/vms/off01/settings", {"version": 1, "changes": {"memory_mib": 4096.0}}),
        ("POST", "/clusters/c1/nodes", {"test": True}),
        ("POST", "/tokens", {"name": "x", "role": "viewer", "days": True}),
    ],
)
def test_true_is_no_number(method: str, path: str, body: Any, world: SimpleNamespace, admin: Caller) -> None:
    answer = admin(method, path, body)
    in_shape(answer)
    assert (answer.status_code, answer.body["findings"][0]["code"]) == (422, "wrong_value")
