"""Every page on a telephone and on a small screen: nothing runs out to the side, nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.bench import addresses
from tests.browser import orders
from tests.browser.console import Console

pytestmark = [pytest.mark.browser, pytest.mark.redis]

#: The page itself, and whatever could only be read by moving it to the side.
TOO_WIDE = """() => {
    const wide = each => each.scrollWidth > each.clientWidth + 1;
    const moves = each => ['auto', 'scroll'].includes(getComputedStyle(each).overflowX);
    const found = [...document.querySelectorAll('main, main *, aside, aside *')]
        .filter(each => each.clientWidth && wide(each) && moves(each))
        .map(each => `${each.tagName}.${each.className}: ${each.scrollWidth} in ${each.clientWidth}`);
    return wide(document.documentElement) ? ['the page', ...found] : found;
}"""


def pages(console: Console) -> Iterator[addresses.Address]:
    """Each page in full; not what stands alone in a dialog or a part of one."""

    def one(table: str) -> int:
        return int(orders.rows(console.stack, f"SELECT max(id) AS id FROM clustermgr_{table}")[0]["id"])

    rows = addresses.Rows(console.slug, vm=one("vm"), node=one("node"), operation=None, event=one("event"))
    return (each for each in addresses.pages(rows) if not each.headers)


def test_no_page_runs_out_to_the_side(console: Console, page: Any) -> None:
    console.sign_in(page)
    shown, found = 0, {}
    for each in pages(console):
        if not page.request.get(console.stack.url + each.path).ok:
            continue  # it takes orders only, or needs another row than this test has
        shown += 1
        page.goto(console.stack.url + each.path)
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            if wrong := page.evaluate(TOO_WIDE):
                found[f"{each.name} at {width}"] = wrong
    assert shown > 20
    assert found == {}


def test_that_news_are_lost_stands_below_the_header(console: Console, page: Any) -> None:
    console.sign_in(page)
    page.eval_on_selector("#live-bar", "bar => { bar.textContent = 'Reconnecting.'; bar.hidden = false; }")
    top = page.eval_on_selector("header.top", "each => each.getBoundingClientRect().bottom")
    assert page.eval_on_selector("#live-bar", "each => each.getBoundingClientRect().top") == top
