"""From a host's figures to the screen: 32 live moves on the large cluster, 98 sockets, two real browsers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import abilities
from tests.bench import installation, processes
from tests.bench.figures import Figure, percentile
from tests.bench.scale import ROOT, SLUG, node_name
from tests.stack import Stack

SECONDS, SOCKETS, MOVES = 25, 98, 32
QUICK = {"seconds": 3, "sockets": 3, "moves": 1}
#: Slow enough that all are still under way at the end.
LINK_MIB_S = 30.0
SWITCHES = ["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking"]
#: The driver's time stands in each patched figure; the second animation frame from the message on is the one
#: after the patch.
LISTEN = """
window.late = []; window.framed = [];
const Native = window.WebSocket;
window.WebSocket = class extends Native {
  constructor(...words) {
    super(...words);
    this.addEventListener("message", (event) => {
      const frame = JSON.parse(event.data), patch = frame.patch || [];
      const moves = patch.filter(([key, f]) => f && f.at && key.startsWith("operation:"));
      const stamps = moves.map(([, f]) => f.at);
      if (!stamps.length) { return; }
      for (const at of stamps) { window.framed.push(Date.parse(frame.at) - 1000 * at); }
      requestAnimationFrame(() => requestAnimationFrame(() => {
        for (const at of stamps) { window.late.push(Date.now() - 1000 * at); }
      }));
    });
  }
};
"""


def measure(
    seed: Path, folder: Path, *, seconds: float = SECONDS, sockets: int = SOCKETS, moves: int = MOVES
) -> Iterator[Figure]:
    with installation.running(seed, folder) as stack:
        installation.settings_of(folder)
        os.environ["REDIS_URL"] = f"unix://{folder / 'run' / 'redis.sock'}"
        begin_moves(moves)
        client = installation.browser(stack)
        with listening(stack, client.cookie, sockets), browsers(stack, client.cookies) as pages:
            wait_until_running(stack, moves)
            late, framed, cost = watch(stack, pages, seconds)
    if not late:
        yield Figure("sample to pixel, p95", None, "ms", 300, note="no frame arrived")
        return
    note = f"{moves} moves, {sockets} sockets, {len(pages)} browsers, {len(late)} samples"
    yield Figure("sample to pixel, p95", percentile(late, 0.95), "ms", 300, note=note)
    yield Figure("sample to pixel, median", percentile(late, 0.5), "ms", note=note)
    yield Figure(
        "sample to frame sent, p95", percentile(framed, 0.95), "ms", note="the share of our processes"
    )
    for name in ("web", "worker"):
        yield Figure(f"{name} while pushing, share of a core", cost[name], "%", note=note)


def begin_moves(moves: int) -> None:
    from clustermgr.access import CLUSTER
    from clustermgr.actions import vms
    from clustermgr.drivers.lab import store
    from clustermgr.drivers.lab.world import World
    from clustermgr.models import Node, Vm

    World(store.default()).set_speeds(link_mib_s=LINK_MIB_S)
    nodes = {node.name: node for node in Node.objects.all()}
    for pair in range(moves):
        source, target = nodes[node_name(2 * pair)], nodes[node_name(2 * pair + 1)]
        rows = Vm.objects.select_related("cluster", "owner", "volume")
        vm = rows.filter(owner=source, state="running", memory_mib__gte=4096).order_by("name").first()
        vm = vm or rows.filter(owner=source, state="running").order_by("-memory_mib", "name")[0]
        vms.live_migrate(actor=CLUSTER, vm=vm, target=target)


@contextmanager
def listening(stack: Stack, cookie: str, number: int) -> Iterator[None]:
    cluster = installation.query(stack, "SELECT id FROM clustermgr_cluster")[0][0]
    url = stack.url.replace("http://", "ws://") + "/ws/ui/"
    words = [sys.executable, "-m", "tests.bench.sockets", url, cookie, str(cluster), str(number)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as many:
        assert many.stdout is not None
        assert many.stdout.readline().strip() == "ready"
        yield
        told = json.loads(many.communicate(timeout=20)[0])
        assert min(told) > 1, "some sockets heard nothing"


@contextmanager
def browsers(stack: Stack, cookies: dict[str, str]) -> Iterator[list[Any]]:
    """The centre of migrations, and the list of roles with the moving ones in it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=abilities.chromium(), args=SWITCHES)
        pages = []
        for path in ("migrations/", "roles/?state=migrating"):
            context = browser.new_context(viewport={"width": 1400, "height": 900})
            context.add_cookies([{"name": k, "value": v, "url": stack.url} for k, v in cookies.items()])
            page = context.new_page()
            page.add_init_script(LISTEN)
            page.goto(f"{stack.url}/c/{SLUG}/{path}")
            page.wait_for_selector("#live-pill[data-state=live]")
            pages.append(page)
        yield pages
        browser.close()


def wait_until_running(stack: Stack, moves: int) -> None:
    sql = "SELECT count(*) FROM clustermgr_operation WHERE state = 'running' AND phase = 'copying'"
    stack.wait(lambda: installation.query(stack, sql)[0][0] >= moves, 60, f"{moves} moves to be copying")


Costs = dict[str, float]


def watch(stack: Stack, pages: list[Any], seconds: float) -> tuple[list[float], list[float], Costs]:
    """Milliseconds from each sample to the screen, and to the frame that tells it; percents of a core."""
    pids = {name: stack.pid(name) or 0 for name in ("web", "worker")}
    for page in pages:
        page.evaluate("window.late.length = window.framed.length = 0")
    before, began = {name: processes.cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic()
    pages[0].wait_for_timeout(1000 * seconds)
    passed = time.monotonic() - began
    cost = {name: 100 * (processes.cpu_seconds(pid) - before[name]) / passed for name, pid in pids.items()}
    late, framed = (
        [value for page in pages for value in page.evaluate(f"window.{name}")] for name in ("late", "framed")
    )
    return late, framed, cost
