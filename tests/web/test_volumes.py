"""The Storage page says what a volume is, and lets an administrator declare it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from clustermgr.models import Volume
from tests.web.asks import DIALOG, text_of

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/c/c1/storage/volumes/"


@pytest.fixture
def address(transactional_db: None, world: SimpleNamespace) -> str:
    return f"{PAGE}{world.csv.pk}/declare/"


def test_a_volume_is_declared_on_its_page(ana: Client, address: str) -> None:
    assert "a file that one node writes there" in text_of(ana.get(address))
    assert ana.post(address, {"kind": "disk"})["Location"] == PAGE
    row = Volume.objects.get()
    assert (row.kind, row.declared) == ("disk", True)
    assert "csv1 is declared: cluster disk." in text_of(ana.get(PAGE))


def test_in_the_dialog_it_leads_back_to_the_list(ana: Client, address: str) -> None:
    done = ana.post(address, {"kind": "disk"}, headers=DIALOG)
    assert (done.status_code, done["HX-Redirect"]) == (204, PAGE)


def test_a_wrong_kind_says_which_there_are(ana: Client, address: str) -> None:
    wrong = ana.post(address, {"kind": "tape"})
    assert wrong.status_code == 422
    assert "A volume is “csv” or “disk”." in text_of(wrong)


def test_only_who_may_is_offered_it(as_: Any, address: str) -> None:
    assert address in as_("administrator").get(PAGE).content.decode()
    assert address not in as_("operator").get(PAGE).content.decode()
