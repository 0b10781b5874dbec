"""Styles and scripts: a changed file arrives after a restart, whatever a browser has kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.finders import get_finder
from django.test import Client

from clustermgr.web.assets import NamedByContent


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """The only folder with static files."""
    settings.STATICFILES_DIRS = [tmp_path]
    get_finder.cache_clear()
    yield tmp_path
    get_finder.cache_clear()


def test_a_changed_file_has_another_address_after_a_restart(folder: Path) -> None:
    (folder / "page.css").write_text("p { color: red }")
    (folder / "same.css").write_text("p { margin: 0 }")
    before = NamedByContent()
    addresses = before.url("page.css"), before.url("same.css")
    (folder / "page.css").write_text("p { color: blue }")
    after = NamedByContent()
    assert after.url("page.css") != addresses[0]
    assert after.url("same.css") == addresses[1]


def test_one_process_gives_one_address(folder: Path) -> None:
    (folder / "page.css").write_text("p { color: red }")
    names = NamedByContent()
    first = names.url("page.css")
    (folder / "page.css").write_text("p { color: blue }")
    assert names.url("page.css") == first


def test_a_file_that_is_not_there_has_a_plain_address(folder: Path) -> None:
    assert NamedByContent().url("gone.css") == "/static/gone.css"


@pytest.mark.django_db
def test_every_style_script_and_icon_of_a_page_is_named_by_its_content(client: Client) -> None:
    page = client.get("/sign-in/").content.decode()
    named = re.findall(r'(?:href|src)="(/static/[^"#]+)', page)
    assert len(named) > 10
    assert [each for each in named if not re.search(r"\?v=[0-9a-f]{8}$", each)] == []
