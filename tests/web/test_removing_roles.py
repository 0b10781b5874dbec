"""The dialog that removes a role from the cluster, pages that show it gone, and programs that do the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from clustermgr.core.states import NodeState, OperationState, Phase, VmState
from clustermgr.models import AuditEntry, Event, Holder, Node, Operation, Vm
from tests import worlds
from tests.api.conftest import Caller, token_of
from tests.web.asks import DIALOG, REGION, source_of, text_of


@pytest.fixture
def world(transactional_db: None) -> SimpleNamespace:
    return SimpleNamespace(**vars(worlds.usual()), url="/c/c1/")


@pytest.fixture
def ana(transactional_db: None, as_: Any) -> Client:
    return as_("administrator")


def address(world: SimpleNamespace, name: str = "web01") -> str:
    return f"{world.url}roles/{getattr(world, name).pk}/remove/"


def gone(world: SimpleNamespace, name: str = "web01", **values: Any) -> Operation:
    """The role as it is after a worker removed it."""
    row = getattr(world, name)
    done = {"state": OperationState.SUCCEEDED, "phase": Phase.DONE, "params": {"role": row.pk}}
    task = worlds.operation(row, "removal", gone_vm=row.name, **{**done, **values})
    pk = row.pk
    Vm.objects.filter(pk=pk).delete()
    return task


def test_the_dialog_says_what_stays_and_what_goes(world: SimpleNamespace, ana: Client) -> None:
    text = text_of(ana.get(address(world), headers=DIALOG))
    assert "web01 stays on hv-01 as it is: running." in text
    assert "C1 does not keep it available any more" in text
    assert "may run there" not in text
    assert "data-close data-first>Cancel" in source_of(ana.get(address(world), headers=DIALOG))


@pytest.mark.parametrize("state", [NodeState.DOWN, NodeState.AGENT_DOWN])
def test_of_a_silent_host_it_says_that_it_may_run_there(
    state: NodeState, world: SimpleNamespace, ana: Client
) -> None:
    Node.objects.filter(pk=world.one.pk).update(state=state)
    Vm.objects.filter(pk=world.web01.pk).update(saved_file="/csv/web01.save", state=VmState.UNMONITORED)
    text = text_of(ana.get(address(world), headers=DIALOG))
    assert f"hv-01 is {state.replace('_', ' ')}, so web01 may run there." in text
    assert "There it keeps the stamp of this manager." in text
    assert "Its saved memory, /csv/web01.save , stays there" in text
    assert ana.post(address(world), {"typed": "web01"}).status_code == 303


def test_of_a_silent_node_that_may_have_a_copy_it_says_so_too(world: SimpleNamespace, ana: Client) -> None:
    Node.objects.filter(pk=world.two.pk).update(state=NodeState.DOWN)
    Holder.objects.create(vm=world.web01, node=world.two, since=world.web01.state_since, because="move")
    text = text_of(ana.get(address(world), headers=DIALOG))
    assert "hv-02 is down, so web01 may run there." in text
    assert "web01 stays on hv-01 as it is: running." in text


def test_its_name_is_typed(world: SimpleNamespace, ana: Client) -> None:
    wrong = ana.post(address(world), {"typed": "web1"}, headers=DIALOG)
    assert (wrong.status_code, "Type the role's name, web01, to remove it." in text_of(wrong)) == (422, True)
    assert not AuditEntry.objects.get(verb="remove_role").accepted


def test_it_says_what_is_in_the_way(world: SimpleNamespace, ana: Client) -> None:
    page = ana.get(address(world, "busy01"), headers=DIALOG)
    assert "busy01 is held by another order: live migration, requested by ana." in text_of(page)
    assert "disabled" in source_of(page)
    assert ana.post(address(world, "busy01"), {"typed": "busy01"}, headers=DIALOG).status_code == 423


def test_from_the_list_the_dialog_closes_and_from_its_own_page_it_leads_to_the_list(
    world: SimpleNamespace, ana: Client
) -> None:
    here = {**DIALOG, "HX-Current-URL": f"http://testserver{world.url}roles/{world.off01.pk}/"}
    there = {**DIALOG, "HX-Current-URL": f"http://testserver{world.url}roles/?q=web"}
    own = ana.post(address(world, "off01"), {"typed": "off01"}, headers=here)
    assert (own.status_code, own["HX-Redirect"]) == (204, f"{world.url}roles/")
    listed = ana.post(address(world), {"typed": "web01", "key": "k"}, headers=there)
    assert listed.status_code == 202
    assert ana.post(address(world), {"typed": "web01", "key": "k"}, headers=there).status_code == 202
    assert Operation.objects.filter(kind="removal").count() == 2


def test_a_role_that_left_has_a_page_that_says_so(world: SimpleNamespace, ana: Client) -> None:
    gone(world)
    page = ana.get(f"{world.url}roles/{world.web01.pk}/")
    assert page.status_code == 404
    assert "web01 was removed from C1 by ana. It was left on its host as it was" in text_of(page)
    assert ana.get(f"{world.url}roles/{world.web01.pk}/?region=role", headers=REGION).status_code == 404


def test_lists_tasks_and_events_show_it_by_its_name(world: SimpleNamespace, ana: Client) -> None:
    worlds.event(
        world.c1, "vm_started", vm=world.web01, node=world.one, params={"vm": "web01", "node": "hv-01"}
    )
    moved = worlds.operation(world.web01, target=world.two, state=OperationState.FAILED, gone_vm="web01")
    task = gone(world)
    for page in ("tasks/?q=web01", f"tasks/{task.pk}/", f"tasks/{moved.pk}/", "events/", "migrations/", ""):
        found = ana.get(world.url + page)
        assert (found.status_code, f"roles/{world.web01.pk}/" in source_of(found)) == (200, False), page
    assert "no longer in the cluster" in text_of(ana.get(f"{world.url}tasks/{task.pk}/"))
    assert ">web01<" in source_of(ana.get(f"{world.url}tasks/?q=web01"))
    assert "2 roles" in text_of(ana.get(f"{world.url}roles/?sel={world.web01.pk}"))
    event = Event.objects.filter(vm=None).latest("pk")
    assert "web01" in text_of(ana.get(f"{world.url}events/{event.pk}/"))
    assert "failed" not in text_of(ana.get(f"{world.url}?region=summary", headers=REGION)).lower()


def test_cancelling_its_last_task_is_refused_in_words(world: SimpleNamespace, ana: Client) -> None:
    task = gone(world)
    page = ana.post(f"{world.url}tasks/{task.pk}/cancel/")
    assert "This task ended before it could be cancelled: succeeded." in text_of(page)
    assert AuditEntry.objects.get(verb="cancel").subject == "web01"


def test_nobody_but_an_administrator_is_offered_it(world: SimpleNamespace, as_: Any) -> None:
    page = as_("operator").get(f"{world.url}roles/{world.web01.pk}/")
    assert 'aria-describedby="why-remove_role"' in source_of(page)


def test_programs_do_the_same(world: SimpleNamespace) -> None:
    api = Caller(token_of(worlds.admin()))
    path = "/clusters/c1/vms/web01/remove"
    assert api.post(path, {"name": "web"}).status_code == 422
    made = api.post(path, {"name": "web01"}, Idempotency_Key="k")
    assert (made.status_code, made.body["operation"]["kind"]) == (202, "removal")
    Operation.objects.filter(pk=made.body["operation"]["id"]).update(state="succeeded", gone_vm="web01")
    Vm.objects.filter(pk=world.web01.pk).delete()
    again = api.post(path, {"name": "web01"}, Idempotency_Key="k")
    assert (again.status_code, again.body["operation"]["id"]) == (202, made.body["operation"]["id"])
    assert (again.body["operation"]["vm_id"], again.body["operation"]["vm_name"]) == (None, "web01")
    assert api.post(path, {"name": "web01"}).status_code == 404
