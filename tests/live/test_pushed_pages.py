"""An old page plus what is pushed to it equals a fresh page."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import render_to_string

from clustermgr.core.states import OperationState, Phase
from clustermgr.live.fragments import FRAGMENTS
from clustermgr.models import Cluster, Operation, Vm
from clustermgr.notices import Changed, Progress
from tests import worlds
from tests.fakes import VirtualClock
from tests.live.page import Page
from tests.live.test_hub import frames_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

FIGURES = {
    "percent": 31.4,
    "sent": 1 << 30,
    "left": 2 << 30,
    "total": 3 << 30,
    "rate": 400 << 20,
    "dirty_rate": 20 << 20,
    "eta_s": 21.3,
    "pass": 1,
    "phase": "copying",
    "converging": True,
    "at": 1.0,
}


@pytest.fixture
def moving() -> Operation:
    cluster = worlds.cluster(version=4)
    one, two = worlds.node(cluster, "hv-01"), worlds.node(cluster, "hv-02")
    return worlds.operation(worlds.vm("web01", on=one), target=two, progress=FIGURES)


def fresh(*rows: Any) -> Page:
    """What a page loaded now shows of these rows."""
    texts = []
    for row in rows:
        fragment = FRAGMENTS[row._meta.model_name]
        (shown,) = fragment.query([row.pk])
        texts.append(render_to_string(fragment.template, {fragment.name: shown}))
    return Page("\n".join(texts))


def names(*rows: Any) -> list[str]:
    return [f"{row._meta.model_name}-{row.pk}" for row in rows]


def assert_same(old: Page, *rows: Any) -> None:
    now = fresh(*rows)
    for name in names(*rows):
        assert old.row(name) == now.row(name) != ""


def push(page: Page, cluster: Cluster, *heard: Any) -> None:
    page.apply(frames_of(cluster, *heard)[0])


@pytest.mark.parametrize(
    "later",
    [
        {"percent": 62.5, "left": 900 << 20, "sent": 3 << 30, "eta_s": 4.4, "pass": 2},
        {"percent": 31.4, "rate": 0, "eta_s": None},
        {"percent": 99.9, "left": 0, "eta_s": 0.2},
        {"percent": 80.0, "converging": False, "dirty_rate": 500 << 20, "eta_s": None},
    ],
)
def test_figures_patched_into_rows_read_like_fresh_rows(moving: Operation, later: dict[str, Any]) -> None:
    page = fresh(moving, moving.vm)
    now = {**FIGURES, **later}
    Operation.objects.filter(pk=moving.pk).update(progress=now)
    push(page, moving.cluster, Progress(moving.cluster_id, moving.pk, moving.vm_id, now))
    assert_same(page, moving, moving.vm)


def test_the_first_figures_bring_the_parts_that_show_them(moving: Operation) -> None:
    Operation.objects.filter(pk=moving.pk).update(progress={})
    page = fresh(moving, moving.vm)
    first = Progress(moving.cluster_id, moving.pk, moving.vm_id, FIGURES)
    push(page, moving.cluster, first)
    Operation.objects.filter(pk=moving.pk).update(progress=FIGURES)
    assert_same(page, moving, moving.vm)


@pytest.mark.parametrize("state", [OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED])
def test_the_end_of_a_move_reads_like_a_fresh_page(
    moving: Operation, state: str, clock: VirtualClock
) -> None:
    page = fresh(moving, moving.vm)
    ended = {"state": state, "phase": Phase.DONE, "outcome": "It ended.", "finished_at": clock.now()}
    Operation.objects.filter(pk=moving.pk).update(**ended)
    Vm.objects.filter(pk=moving.vm_id).update(owner=moving.target)
    heard = Changed(moving.cluster_id, 5, (f"operation:{moving.pk}",))
    late = Progress(moving.cluster_id, moving.pk, moving.vm_id, {**FIGURES, "percent": 99.0})
    push(page, moving.cluster, late, heard)
    assert_same(page, moving, moving.vm)


def test_a_node_that_goes_down_reads_like_a_fresh_page(moving: Operation) -> None:
    node = moving.source
    page = fresh(node)
    type(node).objects.filter(pk=node.pk).update(state="down", state_reason="No answer for 10 s.")
    push(page, moving.cluster, Changed(moving.cluster_id, 5, (f"node:{node.pk}",)))
    assert_same(page, node)


def test_a_role_that_leaves_makes_its_lists_fetch_and_its_task_keeps_the_name(moving: Operation) -> None:
    cluster, pk = moving.cluster, moving.vm_id
    page = fresh(moving)
    done = {"state": OperationState.SUCCEEDED, "kind": "removal", "gone_vm": "web01", "progress": {}}
    Operation.objects.filter(pk=moving.pk).update(**done)
    Vm.objects.filter(pk=pk).delete()
    heard = Changed(cluster.pk, 5, (f"operation:{moving.pk}", f"vm:{pk}", "roles"))
    (frame,) = frames_of(cluster, heard)
    page.apply(frame)
    assert page.row(f"operation-{moving.pk}") == fresh(moving).row(f"operation-{moving.pk}")
    assert {f"vm:{pk}", "roles"} <= set(frame["stale"])
    assert not [text for text in frame["html"] if f"vm-{pk}-row" in text]


@pytest.mark.parametrize(
    "values", [{"state": "failed", "state_reason": "<b>Crashed</b>"}, {"priority": "high"}]
)
def test_a_changed_vm_reads_like_a_fresh_page(moving: Operation, values: dict[str, str]) -> None:
    Operation.objects.all().delete()
    page = fresh(moving.vm)
    Vm.objects.filter(pk=moving.vm_id).update(**values)
    push(page, moving.cluster, Changed(moving.cluster_id, 5, (f"vm:{moving.vm_id}",)))
    assert_same(page, moving.vm)
