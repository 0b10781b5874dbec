"""What a browser loads and when it paints: the demonstration, and the list of roles of the large cluster."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tests import abilities
from tests.bench import installation
from tests.bench.client import Client
from tests.bench.figures import Figure
from tests.bench.push import SWITCHES
from tests.bench.scale import SLUG
from tests.stack import Stack

LOADS = 7
QUICK = {"loads": 1}
PAINT = "performance.getEntriesByType('paint').find((e) => e.name === 'first-contentful-paint')?.startTime"


def measure(seed: Path, folder: Path, *, loads: int = LOADS) -> Iterator[Figure]:
    with installation.running(None, folder / "demo") as stack:
        client = installation.browser(stack)
        slug = str(installation.query(stack, "SELECT slug FROM clustermgr_cluster ORDER BY id")[0][0])
        yield Figure("JavaScript of a page, compressed", scripts(client, f"/c/{slug}/roles/"), "kB", 45)
        first = paints(stack, client, f"/c/{slug}/", loads)
        yield Figure("first paint, demonstration", median(first) / 1000, "s", 0.8, note="overview, no cache")
    with installation.running(seed, folder / "scale") as stack:
        client = installation.browser(stack)
        first = paints(stack, client, f"/c/{SLUG}/roles/", loads)
        yield Figure("first paint, large cluster", median(first) / 1000, "s", 0.8, note="roles, no cache")


def scripts(client: Client, path: str) -> float:
    """Kilobytes (1000) of all scripts of a page, each compressed by gzip."""
    page = client.get(path).text
    found = re.findall(r'<script[^>]*\bsrc="([^"]+)"', page)
    assert found
    return sum(len(gzip.compress(client.get(src).text.encode(), 9)) for src in found) / 1000


def paints(stack: Stack, client: Client, path: str, loads: int) -> list[float]:
    """Milliseconds to the first paint with content; each load in a fresh browser profile."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=abilities.chromium(), args=SWITCHES)
        found = [_paint(browser, stack, client, path) for _ in range(loads + 1)][1:]
        browser.close()
    return found


def _paint(browser: Any, stack: Stack, client: Client, path: str) -> float:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.add_cookies([{"name": k, "value": v, "url": stack.url} for k, v in client.cookies.items()])
    page = context.new_page()
    page.goto(stack.url + path)
    page.wait_for_function(f"() => {PAINT} !== undefined")
    value = float(page.evaluate(PAINT))
    context.close()
    return value
