"""The properties of a cluster in the console, and for programs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from clustermgr.models import Cluster
from tests import worlds
from tests.api.conftest import Caller, token_of
from tests.web.asks import source_of, text_of

SHOWN = {
    "live_migrations_per_node": "1",
    "migration_bandwidth_mib_s": "0",
    "allow_unsafe_migration": "no",
}


@pytest.fixture
def world(transactional_db: None) -> SimpleNamespace:
    return SimpleNamespace(**vars(worlds.usual()), url="/c/c1/properties/")


@pytest.fixture
def ana(transactional_db: None, as_: Any) -> Client:
    return as_("administrator")


def form(**changes: str) -> dict[str, str]:
    return {**{f"base-{name}": value for name, value in SHOWN.items()}, **SHOWN, **changes}


def test_a_property_is_changed_and_shown(world: SimpleNamespace, ana: Client) -> None:
    done = ana.post(world.url, form(live_migrations_per_node="3", allow_unsafe_migration="yes"), follow=True)
    assert "Properties of C1 were saved." in text_of(done)
    assert 'value="yes" checked' in source_of(done)
    assert "3 live migrations at a time to or from a node" in text_of(ana.get("/c/c1/migrations/"))
    assert "0 of 3 at a time" in text_of(ana.get(f"/c/c1/nodes/{world.one.pk}/"))
    assert "Properties of the cluster were changed" in text_of(ana.get("/c/c1/events/"))


def test_a_mistake_keeps_what_was_typed(world: SimpleNamespace, ana: Client) -> None:
    page = ana.post(world.url, form(live_migrations_per_node="many", migration_bandwidth_mib_s="x"))
    assert page.status_code == 422
    assert "Live migrations per node must be a whole number between 1 and 32." in text_of(page)
    assert 'value="many"' in source_of(page)
    assert 'id="error-migration_bandwidth_mib_s"' in source_of(page)


def test_two_administrators_one_property(world: SimpleNamespace, ana: Client) -> None:
    ana.post(world.url, form(allow_unsafe_migration="yes", live_migrations_per_node="5"))
    page = ana.post(world.url, form(live_migrations_per_node="2"))
    assert page.status_code == 409
    text = text_of(page)
    assert "ana changed Live migrations per node since you opened this form." in text
    assert "Yours 2" in text
    assert "Saved meanwhile 5" in text
    assert "Changed by somebody else meanwhile; taken over." in text
    assert Cluster.objects.get().live_migrations_per_node == 5


def test_nothing_changed_is_said(world: SimpleNamespace, ana: Client) -> None:
    assert "Nothing was changed" in text_of(ana.post(world.url, form()))


def test_only_an_administrator_is_led_there(world: SimpleNamespace, ana: Client, as_: Any) -> None:
    oli = as_("operator")
    for page in ("/c/c1/", "/c/c1/migrations/", "/c/c1/management/"):
        assert world.url in source_of(ana.get(page))
        assert world.url not in source_of(oli.get(page))


def test_programs_do_the_same(world: SimpleNamespace) -> None:
    api = Caller(token_of(worlds.admin()))
    order = {"changes": {"migration_bandwidth_mib_s": 40}, "base": {"migration_bandwidth_mib_s": 0}}
    for _ in range(2):
        done = api("PATCH", "/clusters/c1", order)
        assert (done.status_code, done.body["migration_bandwidth_mib_s"]) == (200, 40)
    late = {"changes": {"migration_bandwidth_mib_s": 80}, "base": {"migration_bandwidth_mib_s": 0}}
    assert api("PATCH", "/clusters/c1", late).status_code == 409
    wrong = {"changes": {"allow_unsafe_migration": "yes"}, "base": {}}
    assert api("PATCH", "/clusters/c1", wrong).status_code == 422
    assert api.get("/clusters/c1").body["allow_unsafe_migration"] is False
