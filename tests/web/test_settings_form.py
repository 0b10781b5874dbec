"""The settings form: rules in words, two administrators at once; and accepting what a host changed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from clustermgr.models import Operation, Vm
from tests.web.asks import source_of, text_of


def form(vm: Vm, **changes: Any) -> dict[str, Any]:
    """The form as the page showed it, with changes."""
    names = ("memory_mib", "vcpus", "notes", "offline_action", "priority")
    shown = {name: str(getattr(vm, name)) for name in names}
    base = {f"base-{name}": value for name, value in shown.items()}
    return {"version": vm.config_version, **base, **shown, **changes}


def url(world: SimpleNamespace, vm: Vm | None = None) -> str:
    return f"{world.url}roles/{(vm or world.web01).pk}/settings/"


def test_what_only_the_cluster_keeps_is_saved_at_once(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(url(world), form(world.web01, priority="high", offline_action="shut_down"))
    assert response.status_code == 303
    world.web01.refresh_from_db()
    assert (world.web01.priority, world.web01.offline_action) == ("high", "shut_down")


def test_what_the_host_keeps_becomes_a_task(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(url(world), form(world.web01, memory_mib="8192", notes="line\r\ntwo"))
    order = Operation.objects.get(vm=world.web01)
    assert response["Location"] == f"{world.url}tasks/{order.pk}/"
    assert order.params["changes"] == {"memory_mib": 8192, "notes": "line\ntwo"}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("memory_mib", "", "Memory must be a whole number of MB"),
        ("memory_mib", "lots", "Memory must be a whole number of MB"),
        ("memory_mib", "4097", "Memory must be a multiple of 2 MB"),
        ("memory_mib", "-2", "Memory must be between 32 MB"),
        ("memory_mib", "9" * 14, "Memory must be"),
        ("memory_mib", "9" * 4000, "Memory must be a whole number of MB"),
        ("vcpus", "0", "Processors must be between 1"),
        ("vcpus", "1e3", "Processors must be a whole number"),
        ("vcpus", "٣", "Processors must be a whole number"),
        ("notes", "x" * 9000, "Notes can hold 8 kB"),
        (
            "notes",
            "bell \x07",
            "Notes have no invisible, control or direction characters",
        ),
        ("priority", "urgent", "Startup priority must be one of"),
        ("offline_action", "<script>", "Offline action must be one of"),
    ],
)
def test_a_wrong_value_gets_its_rule_and_changes_nothing(
    field: str, value: str, sentence: str, world: SimpleNamespace, ana: Client
) -> None:
    response = ana.post(url(world), form(world.web01, **{field: value}))
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert not Operation.objects.filter(vm=world.web01).exists()
    world.web01.refresh_from_db()
    assert world.web01.config_version == 1


def test_all_wrong_fields_are_named_and_the_input_is_kept(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(url(world), form(world.web01, memory_mib="33", vcpus="none", priority="high"))
    assert 'id="error-memory_mib"' in source_of(response)
    assert 'id="error-vcpus"' in source_of(response)
    assert 'value="none"' in source_of(response)
    assert 'value="high" checked' in source_of(response)
    assert "<title>Error:" in source_of(response)


def test_two_administrators_one_field(world: SimpleNamespace, ana: Client) -> None:
    mine = form(world.web01, priority="low")
    ana.post(url(world), form(world.web01, priority="high"))
    response = ana.post(url(world), mine)
    assert response.status_code == 409
    assert "ana changed Startup priority since you opened this form." in text_of(response)
    assert "Yours Low" in text_of(response)
    assert "Saved meanwhile High" in text_of(response)
    assert "Original Medium" in text_of(response)
    world.web01.refresh_from_db()
    assert world.web01.priority == "high"


def test_after_a_conflict_applying_again_keeps_mine(world: SimpleNamespace, ana: Client) -> None:
    ana.post(url(world), form(world.web01, priority="high"))
    world.web01.refresh_from_db()
    assert ana.post(url(world), form(world.web01, priority="low")).status_code == 303
    world.web01.refresh_from_db()
    assert world.web01.priority == "low"


def test_two_administrators_two_fields_merge(world: SimpleNamespace, ana: Client) -> None:
    mine = form(world.web01, offline_action="turn_off")
    ana.post(url(world), form(world.web01, priority="high"))
    assert ana.post(url(world), mine).status_code == 303
    world.web01.refresh_from_db()
    assert (world.web01.priority, world.web01.offline_action) == ("high", "turn_off")


def test_nothing_changed_is_said(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(url(world), form(world.web01))
    assert response.status_code == 409
    assert "Nothing was changed" in text_of(response)


def test_a_held_vm_is_refused_with_its_task(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(url(world, world.busy01), form(world.busy01, memory_mib="8192"))
    assert response.status_code == 423
    assert f"{world.url}tasks/{world.task.pk}/" in source_of(response)


def refresh(world: SimpleNamespace) -> str:
    return f"{world.url}roles/{world.off01.pk}/refresh/"


def test_drift_stands_side_by_side_and_is_accepted(world: SimpleNamespace, ana: Client) -> None:
    shown = text_of(ana.get(refresh(world)))
    assert "Memory" in shown
    assert "8 GB changed" in shown
    response = ana.post(refresh(world), {"fingerprint": world.drift.fingerprint, "keep-memory_mib": "host"})
    assert response.status_code == 303
    world.off01.refresh_from_db()
    assert world.off01.memory_mib == 8192


def test_what_nobody_chose_is_not_accepted(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(
        refresh(world), {"fingerprint": world.drift.fingerprint, "keep-memory_mib": "cluster"}
    )
    assert response.status_code == 422
    assert "No field was chosen." in text_of(response)


def test_a_host_that_changed_again_is_looked_at_afresh(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(refresh(world), {"fingerprint": "older", "all": "1"})
    assert response.status_code == 409
    assert "changed again since you looked" in text_of(response)
    world.off01.refresh_from_db()
    assert world.off01.memory_mib == 4096
