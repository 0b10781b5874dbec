"""Writes docs/screenshots/*.png: a demonstration of its own in a real browser. `make screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from tests.abilities import chromium  # noqa: E402
from tests.stack import Stack  # noqa: E402

HERE = Path(__file__).resolve().parent
SIZE = {"width": 1440, "height": 900}
# Two at once, and one that waits for the second: its source is the other's target.
MOVES = {"sql01": "hv-03", "mx01": "hv-02", "git01": "hv-03"}


def signed_in(browser: Browser, stack: Stack, scheme: str) -> Page:
    page = browser.new_context(viewport=SIZE, color_scheme=scheme).new_page()
    page.goto(f"{stack.url}/sign-in/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(stack.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/c/prod-cl1/**")
    return page


def settle(page: Page) -> None:
    """Until everything runs: the first seconds of an installation are not what it looks like."""
    for _ in range(20):
        if not page.get_by_text("Not running").count():
            return
        page.wait_for_timeout(1000)
        page.reload()


def shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(600)
    page.screenshot(path=HERE / f"{name}.png")
    print(f"docs/screenshots/{name}.png")


def order_moves(page: Page, stack: Stack) -> None:
    for vm, node in MOVES.items():
        page.goto(f"{stack.url}/c/prod-cl1/roles/@{vm}/")
        page.goto(f"{page.url}move/")
        page.get_by_role("radio", name=node).check()
        page.wait_for_timeout(200)
        page.get_by_role("button", name=f"Live migrate to {node}").click()
        page.wait_for_timeout(500)


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="clustermgr-") as folder,
        Stack(Path(folder)) as stack,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"]) as browser,
    ):
        light, dark = signed_in(browser, stack, "light"), signed_in(browser, stack, "dark")
        settle(light)
        shoot(light, "overview")
        light.goto(f"{stack.url}/c/prod-cl1/roles/@web01/")
        light.goto(f"{light.url}move/")
        shoot(light, "move")
        order_moves(light, stack)
        for page, name in ((light, "roles"), (dark, "roles-dark")):
            page.goto(f"{stack.url}/c/prod-cl1/roles/@sql01/")
            number = page.url.rstrip("/").rsplit("/", 1)[1]
            page.goto(f"{stack.url}/c/prod-cl1/roles/?sort=-name&sel={number}")
            page.locator(f"#vm-{number}-row").scroll_into_view_if_needed()
            page.wait_for_timeout(3000)
            shoot(page, name)


if __name__ == "__main__":
    main()
