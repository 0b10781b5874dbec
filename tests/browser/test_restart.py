"""A web process is restarted under 98 sockets and two real pages: all come back and show the truth."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser import orders
from tests.browser.console import PASSWORDS, Console
from tests.browser.tabs import Tabs, sign_in
from tests.stack import ROOT, Stack

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

Change = Callable[[str], None]
SOCKETS, SESSIONS = 98, 14
ROLE = "web01"
#: The asked-for time is printed; what is asserted is the outcome, with patience for a busy machine.
PATIENCE_S = 60.0

#: Waits for a word on its standard input, so that the change is made in the moment it is asked for.
CHANGE = """
from clustermgr.access import CLUSTER
from clustermgr.actions.settings import change_settings
from clustermgr.models import Vm
vm = Vm.objects.get(name=sys.argv[1])
print("set", flush=True)
for line in sys.stdin:
    vm.refresh_from_db()
    change_settings(actor=CLUSTER, vm=vm, version=vm.config_version, changes={"priority": line.strip()})
    print(line.strip(), flush=True)
"""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with Stack(tmp_path_factory.mktemp("restart")) as stack:
        yield Console.of(stack)


@pytest.fixture(scope="module")
def change(console: Console) -> Iterator[Change]:
    """`change("high")`: the role's startup priority, changed past every web process, committed at once."""
    stack = console.stack
    hand = subprocess.Popen(
        [sys.executable, "-c", orders.PREFACE + CHANGE, ROLE],
        cwd=ROOT,
        env={**stack.environment, **orders.inside(stack)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert hand.stdin
    assert hand.stdout
    assert hand.stdout.readline() == "set\n"

    def order(priority: str) -> None:
        print(priority, file=hand.stdin, flush=True)
        assert hand.stdout.readline() == f"{priority}\n"

    yield order
    hand.stdin.close()
    hand.wait(10)
    hand.stdout.close()


@pytest.fixture(scope="module")
def tabs(console: Console) -> Iterator[Tabs]:
    """Signed in by the form, some with several tabs each; every one looks at the list of roles."""
    url, password = console.stack.url, PASSWORDS["viewer"]
    sessions = [sign_in(url, "viewer", password) for _ in range(SESSIONS)]
    found = orders.rows(console.stack, "SELECT id FROM clustermgr_cluster WHERE slug = ?", console.slug)
    cookies = [sessions[each % SESSIONS] for each in range(SOCKETS)]
    with Tabs(url, found[0]["id"], f"{console.url}/roles/?region=roles-list", cookies) as tabs:
        tabs.wait(lambda tab: tab.live and tab.shown, PATIENCE_S, "connected")
        yield tabs


def listens(stack: Stack) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", stack.port)) == 0


def restart(stack: Stack, how: signal.Signals, meanwhile: Callable[[], None]) -> float:
    """The moment at which the web process listens again."""
    pid = stack.pid("web")
    assert pid is not None
    os.kill(pid, how)
    stack.wait(lambda: not listens(stack), 10, "the web process to be gone")
    meanwhile()
    assert not listens(stack), "the change was made too late to prove anything"
    stack.wait(lambda: listens(stack), 60, "the web process to listen")
    return time.monotonic()


@pytest.mark.parametrize(("how", "priority"), [(signal.SIGKILL, "high"), (signal.SIGTERM, "low")])
def test_all_come_back_and_show_what_changed_meanwhile(
    console: Console,
    tabs: Tabs,
    change: Change,
    new_page: Callable[..., Any],
    how: signal.Signals,
    priority: str,
) -> None:
    pages = [console.sign_in(new_page(), "viewer") for _ in range(2)]
    row, word = [console.roles(page, ROLE) for page in pages].pop(), priority.capitalize()
    tabs.expect(lambda shown: word in shown.partition(f'id="{row[1:]}"')[2].partition("</tr>")[0])
    back = restart(console.stack, how, lambda: change(priority))
    for page in pages:
        page.wait_for_selector(f"{row} .c-priority >> text={word}", timeout=PATIENCE_S * 1000)
        page.wait_for_selector("#live-pill[data-state=live]", timeout=PATIENCE_S * 1000)
    seen = time.monotonic() - back
    tabs.wait(lambda tab: tab.live and tab.true_at, PATIENCE_S, f"showing {word}")
    print(report(how.name, back, tabs, seen))


def report(how: str, back: float, tabs: Tabs, pages: float) -> str:
    """What was measured, from the moment in which the web process listened again."""
    opened = [tab.opened_at[-1] - back for tab in tabs.all]
    shown = [tab.true_at - back for tab in tabs.all]
    tried = [moment - back for tab in tabs.all for moment in tab.tried_at if moment > back]
    busiest = max(Counter(int(moment * 2) for moment in tried).values())
    return (
        f"\n{how}: {len(opened)} sockets back after {span(opened)}, at most {busiest} attempts in half a "
        f"second; the truth shown after {span(shown)}; two pages within {pages:.1f} s"
    )


def span(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} s (median), {max(seconds):.1f} s (last)"
