"""Two clusters side by side: nothing of one shows or acts under the address of the other."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.test import Client

from tests import worlds
from tests.web.asks import source_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def other() -> SimpleNamespace:
    c2 = worlds.cluster("c2")
    node = worlds.node(c2, "xx-01")
    vm = worlds.vm("stranger", on=node, volume=worlds.volume(c2, "farcsv"))
    task = worlds.operation(vm)
    event = worlds.event(c2, "vm_started", vm=vm, node=node)
    return SimpleNamespace(c2=c2, node=node, vm=vm, task=task, event=event)


def test_objects_of_another_cluster_are_not_found(
    world: SimpleNamespace, other: SimpleNamespace, ana: Client
) -> None:
    of_the_other = (
        *(f"roles/{other.vm.pk}/{page}" for page in ("", "settings/", "refresh/", "move/", "power/start/")),
        f"nodes/{other.node.pk}/",
        f"tasks/{other.task.pk}/",
        f"tasks/{other.task.pk}/cancel/",
        f"events/{other.event.pk}/",
    )
    for page in of_the_other:
        assert ana.get(world.url + page).status_code == 404, page


def test_orders_do_not_reach_across(world: SimpleNamespace, other: SimpleNamespace, ana: Client) -> None:
    for page in (
        f"roles/{other.vm.pk}/move/",
        f"roles/{other.vm.pk}/power/turn_off/",
        f"tasks/{other.task.pk}/cancel/",
    ):
        assert ana.post(world.url + page, {"understood": "1"}).status_code == 404
    other.task.refresh_from_db()
    assert other.task.state == "running"


def test_a_stranger_is_no_target(world: SimpleNamespace, other: SimpleNamespace, ana: Client) -> None:
    response = ana.post(f"{world.url}roles/{world.web01.pk}/move/", {"target": other.node.pk})
    assert response.status_code == 422
    assert "There is no node called" in text_of(response)


def test_lists_show_only_their_own(world: SimpleNamespace, other: SimpleNamespace, ana: Client) -> None:
    for page in ("", "roles/", "nodes/", "storage/volumes/", "migrations/", "tasks/", "events/", "audit/"):
        shown = source_of(ana.get(world.url + page))
        assert "stranger" not in shown, page
        assert "xx-01" not in shown, page
        assert "farcsv" not in shown, page
