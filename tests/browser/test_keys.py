"""Keys of the page: they work wherever the focus is, but in a text field, which has its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.console import Console

pytestmark = [pytest.mark.browser, pytest.mark.redis]


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.tagName"))


@pytest.fixture
def roles(console: Console, page: Any) -> Any:
    """The list of roles with one selected."""
    console.sign_in(page)
    console.roles(page, "web01")
    return page


PLACES = (
    "#roles-list tbody tr",
    "#tree [role=treeitem]",
    "[data-splitter]",
    "#roles-list th a",
    "input[type=checkbox]",
    "#actions a.action",
    "#dock a",
)


def test_a_slash_leads_to_the_search_from_anywhere(roles: Any) -> None:
    for place in PLACES:
        roles.focus(place)
        roles.keyboard.press("/")
        assert focused(roles) == "search", place
    assert roles.input_value("#search") == ""


def test_a_slash_in_a_text_field_is_a_slash(roles: Any) -> None:
    roles.focus(".filters input[type=search]")
    roles.keyboard.press("/")
    assert roles.eval_on_selector(".filters input[type=search]", "each => each.value") == "/"


def test_a_slash_stays_in_a_dialog(roles: Any) -> None:
    roles.click("#actions >> text=Live migrate")
    roles.wait_for_selector("#dialog[open] [data-move-button]")
    roles.keyboard.press("/")
    assert roles.evaluate("document.activeElement.closest('#dialog') !== null")


def test_f6_leads_from_pane_to_pane_and_back(roles: Any) -> None:
    roles.focus("#tree [role=treeitem][tabindex='0']")
    inside = "id => document.getElementById(id).contains(document.activeElement)"
    for pane in ("main", "role-detail", "actions"):
        roles.keyboard.press("F6")
        assert roles.evaluate(inside, pane), pane
    roles.keyboard.press("Shift+F6")
    assert roles.evaluate(inside, "role-detail")


def test_letters_still_jump_in_the_tree(roles: Any) -> None:
    roles.focus("#tree [role=treeitem]")
    roles.keyboard.press("n")
    assert roles.evaluate("document.activeElement.textContent").strip().startswith("N")
