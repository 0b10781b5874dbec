"""A key that was given is in no page, answer, log, audit entry, error or column, and in no repr."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.test import Client

from clustermgr.access import Actor
from clustermgr.actions import candidates, nodes
from clustermgr.actions.candidates import Wish
from clustermgr.core.readings import Facts, Probed
from clustermgr.core.states import Role
from clustermgr.jobs import hosts
from clustermgr.models import Candidate, Node
from tests import worlds
from tests.actions.test_key_material import ITS_KEY, KEY, TLS
from tests.api.conftest import Caller, token_of
from tests.api.test_access import ROUTES
from tests.api.test_access import address as route
from tests.web.test_access import TABLE, address

pytestmark = pytest.mark.django_db(transaction=True)
SSH = "qemu+ssh://root@hv-08.example/system"
#: A line from the middle of each key; JSON and HTML leave it as it is.
LINES = [KEY.splitlines()[2], ITS_KEY.splitlines()[2]]


@pytest.fixture
def world(transactional_db: None, clock: object) -> SimpleNamespace:
    return worlds.usual()


@pytest.fixture
def ana(world: SimpleNamespace, as_: Any) -> Client:
    return as_("administrator", raise_request_exception=False)


def clean(text: str) -> bool:
    return not [line for line in LINES if line in text]


def orders(ana: Client, call: Caller) -> list[str]:
    """Both keys, by form and by program, good, misplaced and broken; and what came back."""
    form = {"address": SSH, "sign_in": "ssh_key", "ssh_key": KEY}
    broken = [
        {"ssh_key": KEY + "x" * 40_000},
        {"ssh_key": KEY[:-40]},
        {"address": "nonsense"},
        {"name": "a b"},
    ]
    pages = [ana.post("/c/c1/nodes/add/", form | each, follow=True) for each in [{}, *broken]]
    tls = {"address": "qemu+tls://hv-07.example/system", **TLS}
    bodies = [
        tls,
        tls | {"address": SSH},
        tls | {"tls_cert": "x"},
        {"address": SSH, "ssh_key": KEY, "x": KEY},
    ]
    pages += [call.post("/clusters/c1/node-tests", each) for each in bodies]
    pages.append(call.post("/clusters/c1/node-tests", json.dumps(tls)[:-1]))
    return [page.content.decode() for page in pages]


def dump() -> str:
    rows = [row for model in apps.get_models() for row in model._default_manager.all()]
    return serializers.serialize("json", rows) + repr(rows)


def added(name: str) -> Node:
    row = Candidate.objects.get(name=name)
    facts = Facts(0, name, "QEMU 7.2", False, 8, 16384, "EPYC", (), (), ())
    candidates.record(row.pk, row.round, Probed(facts=facts, shown={"memory_mib": 1}, usable=True))
    return nodes.add(actor=Actor("ana", Role.ADMINISTRATOR, "test"), candidate=row)


def test_a_key_is_nowhere_to_be_read(
    ana: Client, world: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    call = Caller(token_of(worlds.user("other", "administrator")))
    assert all(clean(answer) for answer in orders(ana, call))
    made = [added("hv-08"), added("hv-07")]
    pages = [ana.get(address(name, world)) for name in TABLE if name not in {"sign-in-link", "sign-out"}]
    pages += [ana.get(f"/c/c1/nodes/{node.pk}/{more}") for node in made for more in ("", "access/", "evict/")]
    pages += [call.get(route(path, world)) for method, path, _ in ROUTES if method == "get"]
    assert all(clean(page.content.decode()) for page in pages)
    assert clean(dump())
    assert clean(caplog.text)
    ways = [hosts.way_to(Node.objects.get(pk=node.pk)) for node in made]
    opened = [hosts.opened(way.sealed, way.host_key) for way in ways]
    assert (opened[0].ssh_key, opened[1].tls_key) == (KEY, ITS_KEY)
    assert clean(repr((ways, opened, Wish(address=SSH, secrets=TLS))))


def test_an_error_of_our_own_shows_no_key(
    ana: Client, world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(candidates, "begin", broken)
    call = Caller(token_of(worlds.user("other", "administrator")))
    answers = orders(ana, call)
    assert any("met an error of its own" in answer for answer in answers)
    assert all(clean(answer) for answer in answers)
    assert clean(caplog.text)
