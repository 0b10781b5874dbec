"""How many queries each page and fragment makes: few, and as many for a large cluster as for a small one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clustermgr.core.states import OperationState, VmState
from clustermgr.models import WatchShard
from clustermgr.ports import clock
from tests import worlds
from tests.api.conftest import token_of
from tests.bench import addresses
from tests.bench.addresses import Address

MOST = 12


def grown(world: SimpleNamespace) -> None:
    """The same cluster with more of everything."""
    nodes = [worlds.node(world.c1, f"more-{n}") for n in range(5)]
    for n in range(30):
        vm = worlds.vm(f"more{n:02d}", on=nodes[n % 5], volume=world.csv, state=list(VmState)[n % 5])
        state = OperationState.QUEUED if n % 2 else OperationState.FAILED
        task = worlds.operation(vm, target=nodes[(n + 1) % 5], state=state, outcome="It was refused.")
        worlds.event(world.c1, "vm_started", vm=vm, node=vm.owner, operation=task, cause=world.event)
        worlds.drift(vm)
    for n in range(3):
        worlds.volume(world.c1, f"more-csv{n}")
        worlds.network(world.c1, f"more-net{n}")


@pytest.fixture
def counts(world: SimpleNamespace, ana: Client) -> Callable[[], dict[str, int]]:
    """`counts()`: queries by the name of what was asked for, while the watch looks, however long it takes."""
    WatchShard.objects.update(heard_at=clock().now() + timedelta(hours=1))
    ids = {"vm": world.web01.pk, "node": world.one.pk, "operation": world.task.pk, "event": world.event.pk}
    token = token_of(worlds.user("tess", "administrator"))

    def get(each: Address) -> Any:
        extra = {"Authorization": f"Bearer {token}"} if each.of_the_api else {}
        return ana.get(each.path, headers={**each.headers, **extra})

    return lambda: _counted(addresses.Rows(slug="c1", **ids), get)


def _counted(rows: addresses.Rows, get: Callable[[Address], Any]) -> dict[str, int]:
    found = {}
    for each in addresses.everything(rows, lambda page: get(page).content.decode()):
        with CaptureQueriesContext(connection) as made:
            answer = get(each)
        if answer.status_code == 200:
            found[each.name] = len(made)
    return found


def test_no_page_or_fragment_makes_many_queries(world: SimpleNamespace, counts: Any) -> None:
    grown(world)
    found = counts()
    assert len(found) > 100
    assert {name: number for name, number in found.items() if number > MOST} == {}


def test_a_larger_cluster_needs_no_more_queries(world: SimpleNamespace, counts: Any) -> None:
    worlds.vm("bad01", on=world.one, state=VmState.FAILED)  # no list of the small one is empty
    small = counts()
    grown(world)
    large = counts()
    assert {name: (small[name], large[name]) for name in small if large.get(name, 0) > small[name]} == {}
