"""A real Chromium, the real processes, and a way to sign in. A failed test leaves a screenshot."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import abilities
from tests.browser.console import Console
from tests.stack import Stack

SWITCHES = [
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SHOTS = Path(tempfile.gettempdir()) / "clustermgr-screenshots"


# One browser per module, never longer: while it runs, this thread has an event loop, in which Django refuses
# to query.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=abilities.chromium(), args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """`new_page()` opens a page in a browser profile of its own; script errors fail the test."""
    contexts: list[Any] = []
    errors: list[str] = []

    def make(**options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if _broken(message) else None)
        return page

    yield make
    if getattr(request.node, "failed", False):
        _shoot(contexts, request.node.name)
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(new_page: Callable[..., Any]) -> Any:
    return new_page()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome: Any = yield
    if outcome.get_result().failed:
        item.failed = True  # type: ignore[attr-defined]


#: What a browser says of requests that were refused, cut off or could not be sent: no fault of a script.
REQUESTS = ("Failed to load resource", "WebSocket connection", "htmx:sendError", "htmx:afterRequest")


def _broken(message: Any) -> bool:
    """Errors of our scripts, and violations of the content security policy."""
    return message.type == "error" and not message.text.startswith(REQUESTS)


def _shoot(contexts: list[Any], name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    for number, page in enumerate(page for context in contexts for page in context.pages):
        path = SHOTS / f"{name.replace('/', '-')}-{number}.png"
        page.screenshot(path=path)
        print(f"screenshot: {path}")


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The demonstration on its own processes, with an account for each role; one for all browser tests."""
    with Stack(tmp_path_factory.mktemp("console")) as stack:
        yield Console.of(stack)
