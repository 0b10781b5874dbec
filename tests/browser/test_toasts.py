"""The answer to an order is told at once and politely: a confirmation goes by itself, a refusal stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.console import Console

pytestmark = [pytest.mark.browser, pytest.mark.redis]


@pytest.fixture
def roles(console: Console, page: Any) -> Any:
    """The list of roles with web03 selected, in a browser whose clock can be turned on."""
    page.clock.install()
    console.sign_in(page)
    console.roles(page, "web03")
    return page


def test_an_order_is_confirmed_and_the_words_go_by_themselves(roles: Any) -> None:
    roles.click("#actions a.action:has-text('Save…')")
    roles.click("#dialog[open] button[type=submit]")
    roles.wait_for_selector("#toasts[aria-live=polite] >> text=Saving web03 was ordered.")
    roles.clock.fast_forward(7000)
    roles.wait_for_selector("#toasts .toast", state="detached")


def test_a_refusal_stays_until_it_is_dismissed(console: Console, roles: Any) -> None:
    gone = f"{console.url}/roles/999999/power/start/"
    roles.evaluate("address => htmx.ajax('POST', address, {swap: 'none'})", gone)
    roles.wait_for_selector("#toasts [role=alert] >> text=There is no virtual machine")
    roles.clock.fast_forward(60_000)
    roles.click("#toasts [data-dismiss]")
    roles.wait_for_selector("#toasts .toast", state="detached")
