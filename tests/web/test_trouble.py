"""Bad input and broken parts: a clear sentence, nothing changed."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client

from clustermgr.core.health import CLUSTERS_WATCHED
from clustermgr.models import Cluster, Operation, WatchShard
from clustermgr.queries import health, shell
from clustermgr.supervisor import processes
from tests import worlds
from tests.web.asks import PANES, text_of


@pytest.mark.parametrize(
    "page", ["roles/999/", "roles/999/move/", "roles/999/settings/", "roles/999/power/start/"]
)
def test_an_unknown_vm_is_a_page_with_a_sentence(page: str, world: SimpleNamespace, ana: Client) -> None:
    response = ana.get(world.url + page)
    assert response.status_code == 404
    assert "There is no virtual machine called “999” in C1." in text_of(response)


@pytest.mark.parametrize(
    "page", ["/c/nope/", "/nope", "/c/c1/nodes/999/", "/c/c1/events/999/", "/c/c1/roles/@none/"]
)
def test_what_is_not_there_is_a_page(page: str, world: SimpleNamespace, ana: Client) -> None:
    response = ana.get(page)
    assert response.status_code == 404
    assert "There is no" in text_of(response)


@pytest.mark.parametrize("number", ["9" * 15, "9" * 30, "9" * 5000, "²", "-1"])
def test_huge_numbers_are_not_found(number: str, world: SimpleNamespace, ana: Client) -> None:
    for page in ("roles/{}/", "nodes/{}/", "tasks/{}/", "events/{}/"):
        assert ana.get(world.url + page.format(number)).status_code == 404
    query = f"sel={number}&offset={number}&node={number}&before={number}&role={number}&newest={number}"
    assert ana.get(f"{world.url}live?since={number}").status_code == 200
    for page in ("roles/", "tasks/", "events/", "audit/"):
        assert ana.get(f"{world.url}{page}?{query}").status_code == 200
        assert ana.get(f"{world.url}{page}?q=%00").status_code == 400


def test_ten_megabytes_are_refused_in_words(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(f"{world.url}roles/{world.web01.pk}/settings/", {"notes": "x" * 10_000_000})
    assert response.status_code == 413
    assert "larger than 1 MB" in text_of(response)
    body = "notes=" + "x" * 10_000_000
    kind = "application/x-www-form-urlencoded"
    response = ana.post(f"{world.url}roles/{world.web01.pk}/settings/", body, content_type=kind)
    assert response.status_code == 413


def test_more_fields_than_any_form_has(world: SimpleNamespace, ana: Client) -> None:
    response = ana.post(f"{world.url}roles/{world.web01.pk}/move/", {f"f{n}": "" for n in range(600)})
    assert response.status_code == 400
    assert "more fields" in text_of(response)


def test_a_form_from_elsewhere_is_refused(world: SimpleNamespace, as_: Any) -> None:
    browser = as_("administrator", enforce_csrf_checks=True)
    response = browser.post(f"{world.url}roles/{world.web01.pk}/power/turn_off/", {"understood": "1"})
    assert response.status_code == 403
    assert "not sent from a fresh page" in text_of(response)
    assert not Operation.objects.filter(vm=world.web01).exists()


def test_for_htmx_an_error_is_a_toast_that_swaps_nothing(world: SimpleNamespace, ana: Client) -> None:
    response = ana.get(world.url + "roles/999/", headers=PANES)
    assert response.status_code == 404
    assert response["HX-Reswap"] == "none"
    assert "hx-swap-oob" in response.content.decode()


def test_a_database_that_is_gone_has_a_plain_page(
    world: SimpleNamespace, ana: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("unable to open database file")

    monkeypatch.setattr(shell, "cluster_by_slug", gone)
    response = ana.get(world.url)
    assert response.status_code == 503
    assert "cannot reach its database" in text_of(response)


def test_a_database_that_is_gone_before_the_view(ana: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("unable to open database file")

    ana.raise_request_exception = False
    monkeypatch.setattr("django.contrib.auth.middleware.get_user", gone)
    response = ana.get("/c/c1/")
    assert response.status_code == 503
    assert "cannot reach its database" in text_of(response)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("database is locked", "Another program has held the console's database"),
        ("no such table: auth_user", "Run python manage.py prepare on the console's machine"),
        ("database or disk is full", "The disk under the console's database is full"),
        ("could not extend file: No space left on device", "The disk under the console's database is full"),
    ],
)
def test_a_database_that_refuses_says_why(
    said: str, shown: str, world: SimpleNamespace, ana: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError(said)

    monkeypatch.setattr(shell, "cluster_by_slug", refuse)
    response = ana.get(world.url)
    assert response.status_code == 503
    assert shown in text_of(response)
    assert "Start the database" not in text_of(response)


def test_a_full_disk_is_said_on_every_page(
    world: SimpleNamespace, ana: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "disk of this console is full" not in text_of(ana.get(world.url))
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))
    assert "disk of this console is full" in text_of(ana.get(world.url))


def test_an_error_of_our_own_shows_no_inside(
    world: SimpleNamespace, ana: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret inside")

    ana.raise_request_exception = False
    monkeypatch.setattr(shell, "cluster_by_slug", broken)
    response = ana.get(world.url)
    assert response.status_code == 500
    assert "secret inside" not in text_of(response)


def test_one_banner_names_what_is_not_running(
    world: SimpleNamespace, ana: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health.pulse, "missing", lambda: ["Redis"])
    WatchShard.objects.update(heard_at=None)
    assert "Not running: Redis, the watch process." in text_of(ana.get(world.url))
    monkeypatch.setattr(health.pulse, "missing", list)
    WatchShard.objects.update(heard_at=world.c1.watch.heard_at)
    assert "Not running" not in text_of(ana.get(world.url))


def test_the_policy_allows_only_our_own_files(world: SimpleNamespace, ana: Client) -> None:
    policy = ana.get(world.url)["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


#: What htmx evaluates; the policy forbids it. (Inline script and style: tests/test_architecture.py.)
EVALUATED = r'hx-on|javascript:|hx-vals=.js|hx-trigger="[^"]*\['
TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_no_template_needs_evaluation(path: Path) -> None:
    assert not re.findall(EVALUATED, path.read_text())


class Workers:
    """A runner whose workers can fall silent."""

    def __init__(self) -> None:
        self.queues = {"operations"}

    def listening(self) -> set[str]:
        return self.queues


def test_one_late_answer_is_no_dead_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    workers, pulse = Workers(), health.Pulse()
    monkeypatch.setattr(health, "runner", lambda: workers)
    monkeypatch.setattr(health, "_redis_answers", lambda: True)
    workers.queues = set()
    pulse._ask()
    assert pulse._silent == 1
    pulse._ask()
    pulse._asked = health.clock().monotonic()
    assert pulse.missing() == ["the worker"]
    workers.queues = {"operations"}
    pulse._ask()
    assert pulse.missing() == []


def test_a_redis_that_is_not_there_is_named_at_once() -> None:
    assert health.Pulse().missing() == ["Redis"]


@pytest.mark.django_db
def test_a_cluster_for_which_no_watch_has_a_thread_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health.pulse, "missing", list)
    late = worlds.cluster("late")
    WatchShard.objects.update(heard_at=None)
    late = Cluster.objects.get()
    assert health.not_running(late, untaken=False) == ["the watch process"]
    for number in range(CLUSTERS_WATCHED):
        worlds.cluster(f"c{number}")
    (missing,) = health.not_running(late, untaken=False)
    assert missing.startswith("another watch process: those that run look at 32 clusters")


def test_a_watch_process_has_a_thread_for_each_cluster_that_it_may_look_at() -> None:
    argv = processes.watch().argv
    assert argv[argv.index("-c") + 1] == str(CLUSTERS_WATCHED)
