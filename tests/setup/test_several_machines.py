"""docker-compose.yml's own services as processes: two web and two workers, PostgreSQL, Redis, a proxy.

What the containers' engine would do is in tests/compose.py; the rest is the file's own.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from celery import Celery

from clustermgr.cli.client import Client, path
from clustermgr.cli.place import Place
from clustermgr.core.states import SETTLED
from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.lab import store
from clustermgr.drivers.lab.world import World
from tests.browsing import Browser
from tests.compose import Composed

pytestmark = [pytest.mark.compose, pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow]

APART = ("web-a", "web-b", "worker", "watch", "beat", "console", "proxy")
CLUSTER = ("clusters", "prod-cl1")
#: Two pairs of nodes, so that both are under way at once.
MOVES = {"web01": "hv-02", "hr01": "hv-03"}


@pytest.fixture(scope="module")
def composed() -> Iterator[Composed]:
    # PostgreSQL's account must reach its part, and a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="compose-", dir="/tmp"))
    folder.chmod(0o711)
    with Composed(folder) as it:
        it.completed("redis-folder")
        it.completed("postgres-folder")
        it.start("redis")
        it.start("postgres")
        it.wait_healthy("redis", "postgres")
        it.completed("setup")
        proxied = {f"web-{x}:8000": f"127.0.0.1:{it.ports[f'web-{x}'][8000]}" for x in "ab"}
        listen = {"listen 8080": f"listen {it.ports['proxy'][8080]}", "/tmp/": f"{folder}/"}
        it.mapped_file("proxy", "/etc/clustermgr/nginx.conf", proxied | listen)
        for service in APART:
            it.start(service)
        it.wait_healthy(*APART)
        yield it
    shutil.rmtree(folder, ignore_errors=True)


def api(composed: Composed, service: str) -> Client:
    left = json.loads((composed.folder / "var" / "clusterctl.json").read_text())
    return Client(Place(composed.url(service), left["token"]))


def browser(composed: Composed, service: str) -> Browser:
    password = (composed.folder / "var" / "administrator.txt").read_text().strip()
    return Browser(composed.url(service), password)


def carrier(composed: Composed, operation: int) -> str:
    """The worker that carries an operation at this moment."""
    wanted = ("clustermgr.jobs.operations.drive", [operation])
    inside = composed.environment("worker", "worker-1")["REDIS_URL"]
    with Celery(broker=inside.replace("unix://", "redis+socket://")) as app:
        active = app.control.inspect(timeout=3).active() or {}
    found = [
        name for name, tasks in active.items() for task in tasks if (task["name"], task["args"]) == wanted
    ]
    assert found, active
    return found[0].removeprefix("worker@")


def settled(client: Client, operation: int) -> dict[str, Any]:
    while True:  # each request waits up to 30 s by itself
        found = client.get(path(*CLUSTER, "operations", operation), wait=30)
        if found["state"] in SETTLED:
            return dict(found)


def test_a_worker_is_killed_in_the_middle_of_a_live_migration_that_another_web_process_watches(
    composed: Composed,
) -> None:
    a, b = api(composed, "web-a"), api(composed, "web-b")
    tasks = {
        vm: a.order("POST", path(*CLUSTER, "vms", vm, "live-migrate"), {"target": target})["operation"]["id"]
        for vm, target in MOVES.items()
    }
    moved = tasks["web01"]
    with closing(browser(composed, "web-b").percents(moved)) as pushed:
        percents = [next(pushed) for _ in range(3)]
    assert sorted(percents) == percents
    assert 0 < percents[-1] < 100
    victim = carrier(composed, moved)
    composed.kill9(victim)
    ended = {vm: settled(b, task) for vm, task in tasks.items()}
    world = World(store.at(composed.folder / "var" / "lab.sqlite3"))
    for vm, target in MOVES.items():
        assert ended[vm]["state"] == "succeeded", ended[vm]
        row = b.get(path(*CLUSTER, "vms", vm))
        assert row["owner"] == target
        assert world.processes(row["uuid"]) == {target: DomainState.RUNNING}
    assert world.double_runs() == []


PAGES = ("", "roles/", "nodes/", "tasks/", "events/")


@pytest.mark.parametrize("page", PAGES)
def test_both_web_processes_show_the_same_page(composed: Composed, page: str) -> None:
    a, b = browser(composed, "web-a"), browser(composed, "web-b")
    where = f"/c/prod-cl1/{page}"
    assert "hv-01" in a.get(where)
    # Between the two a figure may move on; they need not be asked twice where nothing does.
    composed.wait(lambda: plain(a.get(where)) == plain(b.get(where)), 20, "two equal pages")


def test_the_proxy_shows_the_console_while_one_web_process_is_gone(composed: Composed) -> None:
    before = browser(composed, "proxy")
    composed.end("web-a", signal.SIGTERM)
    assert "web01" in before.get("/c/prod-cl1/roles/")
    with closing(before.frames()) as told:
        assert next(told)["cur"] > 0
    composed.start_one("web-a", "web-a")
    composed.wait_healthy("web-a", "proxy")


CONF = "/etc/clustermgr/nginx.conf"


def test_the_proxy_finds_web_processes_that_have_new_addresses(composed: Composed) -> None:
    """As after `docker compose up --build`: all that it knows leads nowhere, and nobody starts it again."""
    old = {f":{composed.ports[f'web-{x}'][8000]} ": f":{port} " for x, port in (("a", 1), ("b", 9))}
    composed.mapped_file("proxy", CONF, old)
    composed.end("proxy", signal.SIGTERM)
    composed.start_one("proxy", "proxy")
    composed.wait(lambda: status(composed, "proxy") == 502, 20, "the proxy to know nobody")
    composed.mapped_file("proxy", CONF, {new: was for was, new in old.items()})
    assert not composed.healthy("proxy", "proxy")
    composed.wait_healthy("proxy", seconds=20)
    assert status(composed, "proxy") == 200


def status(composed: Composed, service: str) -> int:
    try:
        with urlopen(f"{composed.url(service)}/sign-in/", timeout=10) as answer:
            return int(answer.status)
    except HTTPError as answer:
        return answer.code
    except OSError:
        return 0


def plain(page: str) -> str:
    """Without what differs between two answers: the tokens of their forms."""
    return re.sub(r'"[A-Za-z0-9]{64}"', "", page)
