"""What a page must not say: values that do not count yet, times that nobody knows."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.test import Client

from clustermgr.core.states import NodeState
from clustermgr.models import Vm, WatchShard
from clustermgr.ports import clock
from tests import worlds
from tests.web.asks import text_of

STILL = "8 GB from its next start on; it still runs with 4 GB"


@pytest.fixture
def larger(world: SimpleNamespace) -> SimpleNamespace:
    """web01 was given 8 GB, which count from its next start on."""
    Vm.objects.filter(pk=world.web01.pk).update(memory_mib=8192, pending={"memory_mib": 4096})
    return world


@pytest.mark.parametrize("page", ["roles/{}/", "roles/{}/configuration/", "roles/?sel={}"])
def test_memory_that_counts_at_the_next_start_is_not_shown_as_if_it_counted(
    larger: SimpleNamespace, ana: Client, page: str
) -> None:
    assert STILL in text_of(ana.get(larger.url + page.format(larger.web01.pk)))


def test_the_list_marks_what_waits_for_the_next_start(larger: SimpleNamespace, ana: Client) -> None:
    assert text_of(ana.get(f"{larger.url}roles/")).count("Change at next start") == 1


def test_an_up_time_that_nobody_knows_is_a_lower_bound(world: SimpleNamespace, ana: Client) -> None:
    Vm.objects.filter(pk=world.web01.pk).update(started_seen=True)
    page = text_of(ana.get(f"{world.url}roles/{world.web01.pk}/"))
    assert "At least 0 min It ran already when it was first seen" in page


@pytest.fixture
def unwatched(world: SimpleNamespace) -> SimpleNamespace:
    """Nobody has looked at the hosts for an hour; the rows say what was then."""
    before = clock().now() - timedelta(hours=1)
    world.c1.nodes.update(observed_at=before, cpu_percent=77.0, memory_used_mib=1024)
    Vm.objects.update(cpu_percent=78.0)
    WatchShard.objects.update(heard_at=before)
    return world


def cut(page: str, start: str, end: str) -> str:
    return page[page.index(start) :].split(end, 1)[0]


def test_a_node_that_nobody_looks_at_is_not_up_on_its_own_page(
    unwatched: SimpleNamespace, ana: Client
) -> None:
    shown = text_of(ana.get(f"{unwatched.url}nodes/{unwatched.one.pk}/"))
    assert "Status Last known: Up" in shown
    assert "Processor – 16" in shown
    assert "77%" not in shown
    assert "78%" not in shown
    assert "Storage" in shown
    assert "Direct" not in shown


def test_a_paused_node_that_nobody_looks_at_was_paused(unwatched: SimpleNamespace, ana: Client) -> None:
    unwatched.c1.nodes.update(paused=True)
    assert "Last known: Paused" in text_of(ana.get(f"{unwatched.url}nodes/"))


def test_the_figures_of_a_node_that_is_down_are_gone(world: SimpleNamespace, ana: Client) -> None:
    world.c1.nodes.update(state=NodeState.DOWN, cpu_percent=77.0, memory_used_mib=1024)
    shown = text_of(ana.get(f"{world.url}nodes/{world.one.pk}/"))
    assert "Processor – 16" in shown
    assert "Memory in use – of" in shown


def test_a_role_that_nobody_looks_at_uses_nobody_knows_how_much(
    unwatched: SimpleNamespace, ana: Client
) -> None:
    shown = text_of(ana.get(f"{unwatched.url}roles/{unwatched.web01.pk}/"))
    assert "Last known: Running" in shown
    assert "78%" not in shown


def test_the_tree_says_what_is_only_last_known(unwatched: SimpleNamespace, ana: Client) -> None:
    tree = cut(ana.get(f"{unwatched.url}tasks/").content.decode(), '<nav id="tree"', "</nav>")
    assert tree.count('title="Last known: Up"') == unwatched.c1.nodes.count()
    assert 'title="Up"' not in tree


def test_the_overview_does_not_say_that_all_is_reachable_when_nobody_looked(
    unwatched: SimpleNamespace, ana: Client
) -> None:
    shown = text_of(ana.get(unwatched.url))
    assert "All reachable" not in shown
    assert "2 up of 2, last known Last seen" in shown


def test_the_list_of_clusters_says_as_of_when(unwatched: SimpleNamespace, ana: Client) -> None:
    worlds.cluster("c2")
    assert "2 of 2 nodes up, 3 roles, as of" in text_of(ana.get("/"))


def test_what_nodes_reach_is_unknown_when_nobody_looked(unwatched: SimpleNamespace, ana: Client) -> None:
    assert "Direct" not in text_of(ana.get(f"{unwatched.url}storage/"))
    assert "On every node" not in text_of(ana.get(f"{unwatched.url}networks/"))


def test_a_watched_cluster_is_current_everywhere(world: SimpleNamespace, ana: Client) -> None:
    for page in ("", "nodes/", f"nodes/{world.one.pk}/", "roles/", "storage/", "networks/"):
        assert "ast known" not in ana.get(world.url + page).content.decode(), page
    assert "All reachable" in text_of(ana.get(world.url))


def test_a_page_that_stays_open_is_told_how_old_its_states_are(world: SimpleNamespace, ana: Client) -> None:
    def health() -> str:
        headers = {"HX-Request": "true", "HX-Target": "health"}
        return ana.get(f"{world.url}?region=health", headers=headers).content.decode()

    assert 'data-age="fresh"' in health()
    WatchShard.objects.update(heard_at=clock().now() - timedelta(minutes=2))
    assert 'data-age="unknown"' in health()
