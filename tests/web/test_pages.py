"""Each page: as a whole, as panes, as regions; from one template; in a bounded number of queries."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clustermgr.core.states import VmState
from clustermgr.models import VolumeAccess
from tests import worlds
from tests.web.asks import PANES, REGION, SCRIPT, source_of, text_of

QUERIES = 12
PAGES = (
    "",
    "roles/",
    "roles/?sel={web01}",
    "roles/?sel={off01}&tab=configuration",
    "roles/?sel={busy01}&tab=moves",
    "roles/?sel={web01}&tab=events",
    "roles/{busy01}/",
    "roles/{web01}/configuration/",
    "roles/{busy01}/migrations/",
    "roles/{web01}/events/",
    "roles/{web01}/settings/",
    "roles/{off01}/refresh/",
    "roles/{web01}/refresh/",
    "roles/{web01}/move/",
    "roles/{off01}/move/?kind=move",
    "roles/{web01}/power/turn_off/",
    "nodes/",
    "nodes/{one}/",
    "storage/volumes/",
    "networks/",
    "migrations/",
    "tasks/",
    "tasks/{task}/",
    "tasks/{task}/cancel/",
    "events/",
    "events/{event}/",
    "audit/",
)


def address(page: str, world: SimpleNamespace) -> str:
    ids = {name: getattr(row, "pk", None) for name, row in vars(world).items()}
    return str(world.url + page.format(**ids))


def crowd(world: SimpleNamespace, count: int = 30) -> None:
    """Many more rows, so that a query for each of them would show."""
    for number in range(count):
        vm = worlds.vm(f"vm{number:03}", on=world.two, volume=world.csv)
        worlds.operation(vm, target=world.one, state="queued" if number % 2 else "running")
        worlds.event(world.c1, "vm_started", vm=vm, node=world.two)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_takes_at_most_twelve_queries(page: str, world: SimpleNamespace, ana: Client) -> None:
    crowd(world)
    with CaptureQueriesContext(connection) as queries:
        assert ana.get(address(page, world)).status_code == 200
    assert len(queries) <= QUERIES, "\n".join(query["sql"][:200] for query in queries)


@pytest.mark.parametrize("page", PAGES)
def test_panes_are_the_page_without_its_frame(page: str, world: SimpleNamespace, ana: Client) -> None:
    whole, panes = ana.get(address(page, world)), ana.get(address(page, world), headers=PANES)
    assert "<html" in source_of(whole)
    assert "<html" not in source_of(panes)
    assert headings(whole) == headings(panes)


def headings(response: Any) -> list[str]:
    return re.findall(r"<h1>(.*?)</h1>", source_of(response))


def test_going_back_gets_the_whole_page(world: SimpleNamespace, ana: Client) -> None:
    headers = {**PANES, "HX-History-Restore-Request": "true"}
    assert "<html" in source_of(ana.get(world.url + "roles/", headers=headers))


def test_caches_keep_pages_and_parts_apart(world: SimpleNamespace, ana: Client) -> None:
    response = ana.get(world.url + "roles/", headers=PANES)
    assert "HX-Request" in response["Vary"]
    assert "HX-History-Restore-Request" in response["Vary"]
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("page", PAGES)
def test_each_region_of_a_page_answers_alone(page: str, world: SimpleNamespace, ana: Client) -> None:
    whole = source_of(ana.get(address(page, world)))
    regions = re.findall(r'<(?:section|nav|aside|div) id="([\w-]+)"[^>]*?data-url="([^"]+)"', whole)
    assert {"tree", "dock", "health"} <= {name for name, _ in regions}
    for name, url in regions:
        part = source_of(ana.get(url.replace("&amp;", "&"), headers={**REGION, "HX-Target": name}))
        assert f'id="{name}"' in part
        assert "<html" not in part


def test_a_region_that_no_page_has_is_not_found(world: SimpleNamespace, ana: Client) -> None:
    assert ana.get(world.url + "roles/?region=nope", headers=REGION).status_code == 404


def test_the_list_is_searched_sorted_and_filtered(world: SimpleNamespace, ana: Client) -> None:
    def names(query: str) -> list[str]:
        found = source_of(ana.get(f"{world.url}roles/?{query}"))
        return re.findall(r'id="vm-\d+-row".*?<a href="[^"]+">(\w+)</a>', found, re.DOTALL)

    assert names("sort=-name") == ["web01", "off01", "busy01"]
    assert names("q=WEB") == ["web01"]
    assert names("state=off") == ["off01"]
    assert names("drift=1") == ["off01"]
    assert names(f"node={world.two.pk}") == []
    assert names("sort=nonsense&state=nonsense&node=nonsense&offset=-1") == ["busy01", "off01", "web01"]


def test_at_most_a_hundred_rows_and_the_count_of_all(world: SimpleNamespace, ana: Client) -> None:
    for number in range(120):
        worlds.vm(f"many{number:03}", on=world.two)
    first = ana.get(world.url + "roles/")
    assert source_of(first).count('data-live="vm:') == 100
    assert "1–100 shown of 123." in text_of(first)
    assert "101–123 shown of 123." in text_of(ana.get(world.url + "roles/?offset=100"))


def test_a_script_in_a_name_is_text(world: SimpleNamespace, ana: Client) -> None:
    world.web01.name = SCRIPT
    world.web01.notes = SCRIPT
    world.web01.state, world.web01.state_reason = VmState.FAILED, SCRIPT
    world.web01.save()
    for page in PAGES:
        assert SCRIPT not in source_of(ana.get(address(page, world))), page


def test_a_cluster_without_anything_says_so_on_each_page(ana: Client) -> None:
    worlds.cluster("empty")
    for page in ("", "roles/", "nodes/", "storage/volumes/", "networks/", "migrations/", "tasks/", "events/"):
        assert ana.get(f"/c/empty/{page}").status_code == 200
    assert "No roles yet." in text_of(ana.get("/c/empty/roles/"))
    assert "No nodes yet." in text_of(ana.get("/c/empty/"))


def test_one_cluster_leads_to_itself_and_two_to_a_choice(world: SimpleNamespace, ana: Client) -> None:
    assert ana.get("/")["Location"] == "/c/c1/"
    worlds.cluster("c2")
    assert "C1" in text_of(ana.get("/"))
    assert "C2" in text_of(ana.get("/"))


def test_a_name_leads_to_the_address_by_id(world: SimpleNamespace, ana: Client) -> None:
    assert ana.get(world.url + "roles/@WEB01/")["Location"].endswith(f"/roles/{world.web01.pk}/")
    assert ana.get(world.url + "nodes/@hv-02/")["Location"].endswith(f"/nodes/{world.two.pk}/")


def test_what_a_node_that_is_down_reaches_is_unknown(world: SimpleNamespace, ana: Client) -> None:
    seen = {"reachable": True, "active": True, "observed_at": world.event.at}
    VolumeAccess.objects.update_or_create(volume=world.csv, node=world.one, defaults=seen)
    world.one.state = "down"
    world.one.save()
    for page in ("storage/volumes/", f"nodes/{world.one.pk}/"):
        shown = text_of(ana.get(world.url + page))
        assert "Unknown" in shown
        assert "Online" not in shown


@pytest.mark.parametrize(
    ("page", "pushed"), [("roles/", True), ("roles/?node=1", False), ("tasks/?state=queued", False)]
)
def test_a_filtered_list_is_fetched_again_when_a_row_may_have_left_it(
    page: str, pushed: bool, world: SimpleNamespace, ana: Client
) -> None:
    lists = re.findall(r'<section id="(?:roles|task)-list"[^>]*>', ana.get(world.url + page).content.decode())
    assert [" data-rows" in each for each in lists] == [pushed]
