"""A cluster that stands down: said on every page, refused at every entrance, and the ways out of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from clustermgr.actions import drift, nodes, removal, settings, standing, vms
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Cluster, Event
from tests import worlds
from tests.api.conftest import Caller, token_of
from tests.jobs.conftest import ANA

REASON = "Two switches are replaced today."


@pytest.fixture
def down(world: SimpleNamespace) -> SimpleNamespace:
    standing.stand_down(actor=ANA, cluster=world.c1, reason=REASON)
    world.c1.refresh_from_db()
    return world


PAGES = ("overview", "roles", "nodes", "storage", "networks", "migrations", "tasks", "events", "management")


@pytest.mark.parametrize("name", PAGES)
def test_each_page_says_so_to_everybody(name: str, down: SimpleNamespace, as_: Any) -> None:
    page = as_("viewer").get(reverse(name, args=["c1"])).content.decode()
    assert "C1 stands down and takes no orders." in page
    assert REASON in page


def test_the_role_says_why_nothing_can_be_ordered(down: SimpleNamespace, as_: Any) -> None:
    browser = as_("operator")
    page = browser.get(reverse("role", args=["c1", down.web01.pk])).content.decode()
    assert f"C1 stands down: {REASON}" in page
    dialog = browser.get(reverse("power", args=["c1", down.web01.pk, "shut_down"])).content.decode()
    assert f"C1 stands down: {REASON}" in dialog


def orders(world: SimpleNamespace) -> list[Any]:
    web, off = world.web01, world.off01
    return [
        lambda: vms.live_migrate(actor=ANA, vm=web, target=world.two),
        lambda: vms.quick_migrate(actor=ANA, vm=web, target=world.two),
        lambda: vms.move(actor=ANA, vm=web, target=world.two),
        lambda: vms.start(actor=ANA, vm=off),
        lambda: vms.shut_down(actor=ANA, vm=web),
        lambda: vms.turn_off(actor=ANA, vm=web),
        lambda: vms.save(actor=ANA, vm=web),
        lambda: settings.change_settings(actor=ANA, vm=web, version=1, changes={"notes": "x"}),
        lambda: settings.change_settings(actor=ANA, vm=web, version=1, changes={"priority": "low"}),
        lambda: removal.remove_role(actor=ANA, vm=web, typed="web01"),
        lambda: drift.accept(actor=ANA, vm=off, fingerprint="f" * 64),
    ]


@pytest.mark.parametrize("number", range(11))
def test_each_order_is_refused_with_the_reason_and_the_fix(number: int, down: SimpleNamespace) -> None:
    world = as_found(down)
    before = list(world.c1.operations.values_list("pk", flat=True))
    with pytest.raises(ActionRefused, match=r"takes no orders\. Reason: “Two switches.*Management page"):
        orders(world)[number]()
    assert list(world.c1.operations.values_list("pk", flat=True)) == before
    entry = AuditEntry.objects.first()
    assert not entry.accepted
    assert "takes no orders" in entry.answer


def as_found(world: SimpleNamespace) -> SimpleNamespace:
    """The machines as somebody finds them now, with their cluster."""
    rows = type(world.web01).objects.select_related("cluster", "owner", "volume")
    found = {name: rows.get(name=name) for name in ("web01", "off01")}
    return SimpleNamespace(**{**vars(world), **found})


def test_an_order_made_of_rows_read_before_is_refused_in_the_ledger(world: SimpleNamespace) -> None:
    web = type(world.web01).objects.select_related("cluster", "owner", "volume").get(name="web01")
    assert web.cluster.stood_down_at is None
    standing.stand_down(actor=ANA, cluster=world.c1, reason=REASON)
    with pytest.raises(ActionRefused, match="takes no orders"):
        vms.shut_down(actor=ANA, vm=web)
    entry = AuditEntry.objects.first()
    assert (entry.verb, entry.accepted) == ("shut_down", False)


def test_an_administrator_stands_a_cluster_down_and_resumes_it(world: SimpleNamespace, as_: Any) -> None:
    browser, address = as_("administrator"), reverse("management", args=["c1"])
    assert browser.post(address, {"do": "stand_down", "reason": " "}).status_code == 422
    assert browser.post(address, {"do": "stand_down", "reason": REASON}).status_code == 303
    assert "Resume management" in browser.get(address).content.decode()
    world.task.refresh_from_db()
    assert world.task.state == "cancelled"
    assert browser.post(address, {"do": "resume"}).status_code == 303
    assert Cluster.objects.get().stood_down_at is None
    assert set(Event.objects.values_list("code", flat=True)) >= {"stood_down", "resumed"}


def test_a_take_over_must_be_typed(world: SimpleNamespace, as_: Any) -> None:
    Cluster.objects.update(stood_down_at=world.web01.state_since, rivals={"other": 3})
    browser, address = as_("administrator"), reverse("management", args=["c1"])
    assert "Another manager" in browser.get(address).content.decode()
    assert browser.post(address, {"do": "resume"}).status_code == 409
    assert browser.post(address, {"do": "take_over", "confirm": "c"}).status_code == 422
    assert browser.post(address, {"do": "take_over", "confirm": "C1"}).status_code == 303
    found = Cluster.objects.get()
    assert (found.stood_down_at, found.rivals, found.overruled) == (None, {}, {"other": 3})
    assert browser.post(address, {"do": "take_over", "confirm": "C1"}).status_code == 409


def test_programs_do_the_same(world: SimpleNamespace) -> None:
    api = Caller(token_of(worlds.admin()))
    assert api.post("/clusters/c1/stand-down", {"reason": REASON}).body["way_out"] == "resume"
    assert api.post("/clusters/c1/vms/web01/shut-down").status_code == 409
    assert api.post("/clusters/c1/resume").body["managed"]
    assert api.post("/clusters/c1/take-over", {"confirm": "C1"}).status_code == 409
    assert api.get("/clusters/c1/management").body["epoch"] == standing.installation().epoch


def test_a_viewer_sees_the_page_and_no_button(down: SimpleNamespace, as_: Any) -> None:
    page = as_("viewer").get(reverse("management", args=["c1"])).content.decode()
    assert "Ask an administrator." in page
    assert 'name="do"' not in page


def test_a_node_can_be_evicted_from_a_cluster_that_stands_down(down: SimpleNamespace) -> None:
    spare = worlds.node(down.c1, "hv-09")
    nodes.evict(actor=ANA, node=spare, typed="hv-09")
    assert not down.c1.nodes.filter(name="hv-09").exists()
