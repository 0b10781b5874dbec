"""“Other settings” of a drift: what changed in the definition is told everywhere, secrets nowhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from clustermgr.actions._ledger import change
from clustermgr.actions.seen_vms import configuration, copy_of
from clustermgr.core.readings import Config
from clustermgr.models import Drift, Vm
from clustermgr.ports import clock
from clustermgr.secrets import seal
from tests import worlds
from tests.api.conftest import token_of
from tests.web.asks import text_of

pytestmark = pytest.mark.django_db
XML = "<domain><clock offset='{}'/><devices><graphics type='vnc' port='5900' passwd='{}'/></devices></domain>"
BEFORE, AFTER = XML.format("utc", "s3cret"), XML.format("localtime", "0ther")


def seen(vm: Vm, definition: str) -> Drift:
    """The drift after a look at the host, which has this definition and the agreed settings."""
    settings = copy_of(vm)
    with change(vm.cluster_id) as tx:
        configuration(tx, vm, Config(vm.owner_id, vm.uuid, clock().now(), definition, "b", settings, None))
    return Drift.objects.get(vm=vm)


@pytest.fixture
def vm() -> Any:
    node = worlds.node(worlds.cluster("c1"), "hv-01")
    return worlds.vm("web01", on=node, definition=seal(BEFORE), fingerprint="a")


def test_the_parts_that_changed_are_told_with_their_values(vm: Vm) -> None:
    [row] = seen(vm, AFTER).fields
    assert row["cluster"] == "clock/@offset: utc\ndevices/graphics/@passwd: not shown"
    assert row["host"] == "clock/@offset: localtime\ndevices/graphics/@passwd: not shown"


def test_no_secret_is_in_the_row_the_page_or_the_answer(vm: Vm) -> None:
    drift = seen(vm, AFTER)
    ana = worlds.admin()
    browser = Client()
    browser.force_login(ana, backend="django.contrib.auth.backends.ModelBackend")
    page = browser.get(f"/c/c1/roles/{vm.pk}/refresh/")
    header = {"Authorization": f"Bearer {token_of(ana)}"}
    answer = browser.get(f"/api/v1/clusters/c1/vms/{vm.pk}/drift", headers=header).content.decode()
    shown = [str(drift.fields), page.content.decode(), answer]
    assert "clock/@offset: localtime devices/graphics/@passwd: not shown changed" in text_of(page)
    assert ["clock/@offset: localtime" in each for each in shown] == [True] * 3
    assert [each for each in shown if "s3cret" in each or "0ther" in each] == []


def test_a_copy_that_cannot_be_opened_still_differs(vm: Vm) -> None:
    Vm.objects.update(definition="not sealed here")
    vm.refresh_from_db()
    assert [(row["cluster"], row["host"]) for row in seen(vm, AFTER).fields] == [
        ("as agreed", "not as agreed")
    ]


def test_a_second_look_changes_nothing(vm: Vm) -> None:
    first = seen(vm, AFTER)
    vm.refresh_from_db()
    assert seen(vm, AFTER).found_at - first.found_at == timedelta(0)
    assert vm.config_version == 1
