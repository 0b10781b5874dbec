"""What a page must not say: values that do not count yet, times that nobody knows."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.test import Client

from clustermgr.models import Vm
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
