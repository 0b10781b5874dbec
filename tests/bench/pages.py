"""Every page, fragment and API list of the large cluster for one client over the real server, and the queries
that each makes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench import installation, processes
from tests.bench.client import Client
from tests.bench.figures import Figure, percentile
from tests.stack import Stack

ROUNDS = 20
QUICK = {"rounds": 1}
#: On a machine that is too busy for all rounds there are fewer.
PATIENCE_S = 120


def measure(seed: Path, folder: Path, *, rounds: int = ROUNDS) -> Iterator[Figure]:
    from tests.bench import addresses

    with installation.running(seed, folder) as stack:
        installation.settings_of(folder)
        order_a_move(stack)
        client = installation.browser(stack)
        client.headers["Authorization"] = f"Bearer {token(folder)}"
        rows = installation.rows_of()
        found = addresses.everything(rows, lambda page: client.get(page.path, **page.headers).text)
        found = [each for each in found if client.get(each.path, **each.headers).status == 200]
        yield from _times(stack, client, found, rounds)
        yield from _queries(found)


def order_a_move(stack: Stack) -> None:
    """One task in the history, so that pages of tasks have something to show."""
    from clustermgr.access import CLUSTER
    from clustermgr.actions import vms
    from clustermgr.models import Node, Vm

    os.environ["REDIS_URL"] = f"unix://{stack.var / 'run' / 'redis.sock'}"
    vm = Vm.objects.select_related("cluster", "owner", "volume").filter(state="running").order_by("pk")[0]
    target = Node.objects.exclude(pk=vm.owner_id).order_by("pk")[0]
    vms.live_migrate(actor=CLUSTER, vm=vm, target=target)


def token(folder: Path) -> str:
    return str(json.loads((folder / "clusterctl.json").read_text())["token"])


def _times(stack: Stack, client: Client, found: list[object], rounds: int) -> Iterator[Figure]:
    web = stack.pid("web")
    assert web is not None
    times: dict[str, list[float]] = {each.name: [] for each in found}
    cost = dict.fromkeys(times, 0.0)
    made, until = 0, time.monotonic() + PATIENCE_S
    # Round by round, so that what disturbs the machine for a moment disturbs no single address.
    while made < rounds and (made < 2 or time.monotonic() < until):
        for each in found:
            before = processes.worked(web)
            times[each.name].append(1000 * client.get(each.path, **each.headers).seconds)
            cost[each.name] += 1000 * (processes.worked(web) - before)
        made += 1
    cost = {name: value / made for name, value in cost.items()}
    ends = {name: percentile(values, 0.95) for name, values in times.items()}
    worst = max(ends, key=ends.__getitem__)
    dearest = max(cost, key=cost.__getitem__)
    middle = median(value for values in times.values() for value in values)
    yield Figure("page or fragment, slowest of all, p95", ends[worst], "ms", 50, note=worst)
    yield Figure(
        "page or fragment, median of all", middle, "ms", note=f"{len(found)} addresses, {made} times each"
    )
    yield Figure("page or fragment, dearest, processor", cost[dearest], "ms", note=dearest)
    yield Figure("memory of a web process", processes.rss_mb(web), "MB", 300)
    for name in sorted(ends, key=ends.__getitem__, reverse=True)[:12]:
        print(
            f"   {ends[name]:6.1f} ms p95  {median(times[name]):6.1f} median  {cost[name]:6.1f} cpu  {name}"
        )


def _queries(found: list[object]) -> Iterator[Figure]:
    """In this process, with the same rows: a server does not tell how many it makes."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client as Inside
    from django.test.utils import CaptureQueriesContext

    inside = Inside(SERVER_NAME="localhost")
    inside.force_login(
        get_user_model().objects.get(username="admin"), backend="django.contrib.auth.backends.ModelBackend"
    )
    counts = {}
    for each in found:
        if not each.path.startswith("/api/"):
            with CaptureQueriesContext(
                connection,
            ) as made:
                inside.get(each.path, headers=each.headers)
            counts[each.name] = len(made)
    most = max(counts, key=counts.__getitem__)
    yield Figure("queries of a page or fragment, most", counts[most], "", 12, note=most)
