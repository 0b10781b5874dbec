"""Orders by form: accepted, repeated, refused. Moving, power and cancelling."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from django.test import Client

from clustermgr.core.states import NodeState, OperationKind, OperationState, Phase, VmState
from clustermgr.models import AuditEntry, Operation
from tests.web.asks import DIALOG, source_of, text_of


def move_url(world: SimpleNamespace) -> str:
    return f"{world.url}roles/{world.web01.pk}/move/"


def orders(vm: object) -> list[Operation]:
    return list(Operation.objects.filter(vm=vm))


def test_a_live_migration_is_ordered_by_a_plain_form(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(move_url(world), {"kind": "live_migration", "target": world.two.pk, "key": "k1"})
    (order,) = orders(world.web01)
    assert response.status_code == 303
    assert response["Location"] == f"{world.url}tasks/{order.pk}/"
    assert (order.kind, order.target, order.requested_by) == ("live_migration", world.two, "ana")
    assert AuditEntry.objects.get(operation=order).origin == "web 127.0.0.1"


def test_htmx_gets_the_dock_and_a_toast(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(move_url(world), {"target": world.two.pk, "key": "k1"}, headers=DIALOG)
    assert response.status_code == 202
    assert response["HX-Reswap"] == "none"
    assert '"ordered"' in response["HX-Trigger"]
    assert f'id="operation-{orders(world.web01)[0].pk}-row"' in source_of(response)
    assert "Live migration of web01 to hv-02 was ordered." in text_of(response)


def test_the_same_form_twice_is_one_order(world: SimpleNamespace, ana: Client) -> None:
    form = {"target": world.two.pk, "key": "same"}
    assert ana.post(move_url(world), form)["Location"] == ana.post(move_url(world), form)["Location"]
    assert len(orders(world.web01)) == 1


def test_without_a_target_the_best_node_is_taken(world: SimpleNamespace, ana: Client) -> None:
    ana.post(move_url(world), {"kind": "live_migration"})
    assert orders(world.web01)[0].target == world.two


def test_every_node_stands_in_the_dialog_with_its_verdict(world: SimpleNamespace, ana: Client) -> None:
    world.two.state = NodeState.DOWN
    world.two.save()
    shown = text_of(ana.get(move_url(world), headers=DIALOG))
    assert "Current node" in shown
    assert "hv-02 is down; choose a node that is up." in shown
    assert "No node can take it" in shown


def test_moving_to_where_it_is_is_refused_in_the_dialog(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(move_url(world), {"target": world.one.pk}, headers=DIALOG)
    assert response.status_code == 409
    assert "web01 is already on hv-01. Choose another node." in text_of(response)
    assert not orders(world.web01)


def test_a_node_that_is_down_gives_no_planned_move(world: SimpleNamespace, ana: Client) -> None:
    world.one.state = NodeState.DOWN
    world.one.save()
    response = ana.post(move_url(world), {"target": world.two.pk})
    assert response.status_code == 409
    assert "hv-01 is down; a planned move needs a running source." in text_of(response)


@pytest.mark.parametrize("dialog", ["move/?kind=move", "move/", "power/turn_off/", "power/shut_down/"])
def test_a_dialog_says_beforehand_that_its_order_would_be_refused(
    dialog: str, world: SimpleNamespace, ana: Client
) -> None:
    world.one.state = NodeState.DOWN
    world.one.save()
    response = ana.get(f"{world.url}roles/{world.web01.pk}/{dialog}")
    assert "hv-01 is down" in text_of(response)
    assert re.search(r'<button type="submit"[^>]* disabled', source_of(response))


def test_a_held_vm_is_refused_with_the_task_that_holds_it(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(f"{world.url}roles/{world.busy01.pk}/move/", {"target": world.two.pk})
    assert response.status_code == 423
    assert f"{world.url}tasks/{world.task.pk}/" in source_of(response)


def test_unknown_nodes_and_actions_are_refused_in_words(world: SimpleNamespace, ana: Client) -> None:
    for target in ("999999", "hv-02", "-1", "9" * 400, "<script>"):
        response = ana.post(move_url(world), {"target": target})
        assert response.status_code == 422
        assert "There is no node called" in text_of(response)
    response = ana.post(
        move_url(world), {"kind": "move", "target": world.two.pk, "offline_action": "explode"}
    )
    assert response.status_code == 422
    assert not orders(world.web01)


def test_an_order_that_nobody_gives_becomes_no_other(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(
        f"{world.url}roles/{world.web01.pk}/move/", {"kind": "teleport", "target": world.two.pk}
    )
    assert response.status_code == 422
    assert "Nothing was ordered." in text_of(response)
    assert not Operation.objects.filter(vm=world.web01).exists()


def test_a_short_stop_must_be_confirmed(world: SimpleNamespace, ana: Client) -> None:
    form = {"kind": "quick_migration", "target": world.two.pk}
    assert ana.post(move_url(world), form).status_code == 422
    assert ana.post(move_url(world), {**form, "understood": "1"}).status_code == 303
    assert orders(world.web01)[0].kind == OperationKind.QUICK_MIGRATION


def test_the_offline_action_is_chosen_for_this_once(world: SimpleNamespace, ana: Client) -> None:
    form = {"kind": "move", "target": world.two.pk, "offline_action": "turn_off"}
    assert ana.post(move_url(world), form).status_code == 422
    ana.post(move_url(world), {**form, "understood": "1"})
    assert orders(world.web01)[0].params["offline_action"] == "turn_off"
    world.web01.refresh_from_db()
    assert world.web01.offline_action == "save"


def test_power_verbs(world: SimpleNamespace, ana: Client) -> None:
    url = f"{world.url}roles/{world.web01.pk}/power/"
    assert ana.post(url + "turn_off/").status_code == 422
    assert ana.post(url + "turn_off/", {"understood": "1"}).status_code == 303
    assert orders(world.web01)[0].kind == OperationKind.TURN_OFF
    assert ana.post(f"{world.url}roles/{world.off01.pk}/power/start/").status_code == 303
    assert ana.get(url + "explode/").status_code == 404


def test_a_verb_in_the_wrong_state_says_what_it_needs(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(f"{world.url}roles/{world.off01.pk}/power/save/", headers=DIALOG)
    assert response.status_code == 409
    assert "off01 is off; save needs it running or paused." in text_of(response)


def test_disabled_verbs_have_their_reason_in_the_pane(world: SimpleNamespace, ana: Client) -> None:
    shown = text_of(ana.get(f"{world.url}roles/{world.off01.pk}/"))
    assert "off01 is off; this needs it running." in shown
    held = text_of(ana.get(f"{world.url}roles/{world.busy01.pk}/"))
    assert "Held by “live migration”, requested by ana." in held


def test_a_waiting_order_is_cancelled_at_once(world: SimpleNamespace, ana: Client) -> None:
    assert ana.post(f"{world.url}tasks/{world.task.pk}/cancel/").status_code == 303
    world.task.refresh_from_db()
    assert world.task.state == OperationState.CANCELLED


def test_cancelling_what_has_ended_is_a_sentence_also_in_a_plain_form(
    world: SimpleNamespace, ana: Client
) -> None:
    url = f"{world.url}tasks/{world.task.pk}/cancel/"
    ana.post(url)
    for headers in ({}, DIALOG):
        response = ana.post(url, headers=headers)
        assert response.status_code == 409
        assert "cancel" in text_of(response).lower()


def test_past_its_switch_over_a_move_cannot_be_cancelled(world: SimpleNamespace, ana: Client) -> None:
    world.task.state, world.task.phase = OperationState.RUNNING, Phase.SWITCHING
    world.task.save()
    response = ana.post(f"{world.url}tasks/{world.task.pk}/cancel/", headers={"HX-Request": "true"})
    assert response.status_code == 409
    assert "past its switch-over" in text_of(response)


def test_a_saved_vm_can_be_moved_and_not_migrated(world: SimpleNamespace, ana: Client) -> None:
    world.off01.state, world.off01.saved_file = VmState.SAVED, "/clusterstorage/csv1/off01.save"
    world.off01.save()
    url = f"{world.url}roles/{world.off01.pk}/move/"
    assert ana.post(url, {"kind": "live_migration", "target": world.two.pk}).status_code == 409
    assert ana.post(url, {"kind": "move", "target": world.two.pk}).status_code == 303
