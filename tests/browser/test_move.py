"""A live migration in real browsers: its bar moves without a reload, it ends where it should, all see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.console import Console
from tests.browser.orders import Move, hosts

pytestmark = [pytest.mark.browser, pytest.mark.redis]

BARS = """row => {
    const value = from => document.querySelector(`${from} progress`)?.value;
    const number = document.querySelector('#dock tbody tr')?.id;
    return [value(row), number && value(`#dock #${number}`)];
}"""


def watch_bars(page: Any, row: str, *, until: float = 101) -> list[tuple[float, float]]:
    """What the bars of the role's row and of the dock showed, until they are gone or far enough."""
    seen: list[tuple[float, float]] = []
    for _ in range(400):
        in_row, in_dock = page.evaluate(BARS, row)
        if in_row is not None and in_dock is not None:
            seen.append((in_row, in_dock))
            if in_row >= until:
                return seen
        elif seen:
            return seen
        page.wait_for_timeout(150)
    raise AssertionError(f"the bars never ended: {seen[-3:]}")


def assert_moved(values: list[float]) -> None:
    assert len(set(values)) >= 8, values
    assert values == sorted(values), values


def newest_task(page: Any) -> str:
    return str(page.inner_text("#dock tbody tr:first-child"))


def test_a_live_migration_is_watched_to_its_end_in_two_browsers(
    console: Console, new_page: Callable[..., Any]
) -> None:
    one = console.sign_in(new_page(), "operator")
    other = console.sign_in(new_page(), "viewer")
    row = console.roles(one, "web01")
    console.roles(other, "web01")
    for page in (one, other):
        page.evaluate("window.stayed = true")
    console.move(one, "hv-02")
    one.wait_for_selector("#dock tbody tr:has-text('web01')")
    # From here on the first browser has nothing but its socket.
    one.route("**/*", lambda route: route.abort())
    bars = watch_bars(one, row)
    assert_moved([in_row for in_row, _ in bars])
    assert_moved([in_dock for _, in_dock in bars])
    for page in (one, other):
        page.wait_for_selector(f"{row} .c-state:has-text('Running')")
        page.wait_for_selector(f"{row} .c-owner:has-text('hv-02')")
        page.wait_for_selector("#dock tr:has-text('web01'):has-text('Done')")
        assert page.evaluate("window.stayed") is True
    assert hosts(console.stack).double_runs() == []


def test_the_second_browser_sees_the_bar_of_somebody_elses_move(
    console: Console, new_page: Callable[..., Any]
) -> None:
    page = console.sign_in(new_page(), "viewer")
    row = console.roles(page, "web03")
    move = Move.order(console.stack, "web03", "hv-01")
    assert_moved([in_row for in_row, _ in watch_bars(page, row, until=60)])
    assert page.locator("#dock .needs-operator:visible").count() == 0
    console.stack.wait(lambda: move.settled, 60, "the migration to end")
    page.wait_for_selector(f"{row} .c-owner:has-text('hv-01')")


def test_a_migration_cancelled_half_way_leaves_the_role_running_at_home(console: Console, page: Any) -> None:
    console.sign_in(page, "operator")
    row = console.roles(page, "mon01")
    console.move(page, "hv-03")
    bars = watch_bars(page, row, until=40)
    assert bars[-1][0] < 100
    page.click("#dock tr:has-text('mon01') >> text=Cancel")
    page.wait_for_selector("#dock tr:has-text('mon01'):has-text('Cancelled')")
    page.wait_for_selector(f"{row} .c-state:has-text('Running')")
    page.wait_for_selector(f"{row} .c-owner:has-text('hv-01')")
    uuid = console.column("mon01", "uuid")
    assert list(hosts(console.stack).processes(uuid)) == ["hv-01"]


def test_a_page_without_its_socket_says_so_and_polls(console: Console, page: Any) -> None:
    cut: list[bool] = []
    sockets: list[Any] = []

    def connect(socket: Any) -> None:
        if cut:
            socket.close(code=1011)
        else:
            sockets.append(socket)
            socket.connect_to_server()

    page.route_web_socket("**/ws/ui/", connect)
    console.sign_in(page, "viewer")
    row = console.roles(page, "web02")
    cut.append(True)
    sockets[-1].close(code=1011)
    page.wait_for_selector("#live-pill[data-state=reconnecting]")
    assert "Data as of" in page.inner_text("#live-bar")
    move = Move.order(console.stack, "web02", "hv-03")
    page.wait_for_selector(f"{row} progress[value]", timeout=30_000)
    console.stack.wait(lambda: move.settled, 60, "the migration to end")
    page.wait_for_selector(f"{row} .c-state:has-text('Running')", timeout=30_000)
    cut.clear()
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_selector("#live-pill[data-state=live]", timeout=45_000)
    assert page.is_hidden("#live-bar")


def test_a_page_outlives_the_web_process(console: Console, page: Any) -> None:
    console.sign_in(page, "viewer")
    console.roles(page, "dc01")
    page.evaluate("window.stayed = true")
    console.stack.kill9("web")
    page.wait_for_selector("#live-pill:not([data-state=live])")
    console.stack.back("web")
    page.wait_for_selector("#live-pill[data-state=live]", timeout=45_000)
    assert page.evaluate("window.stayed") is True
