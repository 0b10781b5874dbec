"""/metrics: who may read it, and that what it says is what the rows say, in a form that Prometheus reads."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from clustermgr import meters
from clustermgr.actions import leases
from clustermgr.core.states import OperationState
from clustermgr.models import WatchShard
from clustermgr.monitor import exposition, metrics
from tests import worlds
from tests.api.conftest import _no_wrong_tries, token_of  # noqa: F401  (a fixture)
from tests.architecture import ROOT
from tests.fakes import VirtualClock

pytestmark = pytest.mark.django_db
ENDS = ("succeeded", "failed", "cancelled")


@pytest.fixture
def world(clock: VirtualClock) -> SimpleNamespace:
    return worlds.usual()


def bearer(role: str = "viewer") -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(worlds.user(f'reader-{role}', role))}"}


def scrape(**headers: str) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """{name: {labels without the process: value}} of everything that one scrape tells."""
    answer = Client().get("/metrics", headers=headers or bearer())
    assert answer.status_code == 200
    found: dict[str, Any] = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        for sample in family.samples:
            labels = frozenset((k, v) for k, v in sample.labels.items() if k != "process")
            assert labels not in found.setdefault(sample.name, {}), f"{sample} is told twice"
            found[sample.name][labels] = sample.value
    return found


def value(found: Any, name: str, **labels: str) -> float:
    return found[name][frozenset(labels.items())]


def test_nothing_opens_it_by_itself(world: SimpleNamespace) -> None:
    answer = Client().get("/metrics")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert "clustermgr_" not in answer.content.decode()


def test_a_session_does_not_open_it(world: SimpleNamespace) -> None:
    browser = Client()
    browser.force_login(worlds.admin(), backend="django.contrib.auth.backends.ModelBackend")
    assert browser.get("/metrics").status_code == 401


@pytest.mark.parametrize("role", ["viewer", "operator", "administrator"])
def test_a_token_of_any_role_opens_it(world: SimpleNamespace, role: str) -> None:
    assert Client().get("/metrics", headers=bearer(role)).status_code == 200


@pytest.mark.parametrize(
    ("address", "status"),
    [("192.0.2.7", 200), ("::ffff:192.0.2.7", 200), ("198.51.100.1", 401), ("", 401), ("unix:", 401)],
)
def test_addresses_that_were_named_open_it(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, settings: Any, address: str, status: int
) -> None:
    from clustermgr.settings import env_networks

    monkeypatch.setenv("CLUSTERMGR_METRICS_FROM", "192.0.2.0/28, 2001:db8::/64")
    settings.METRICS_FROM = env_networks("CLUSTERMGR_METRICS_FROM")
    assert Client(REMOTE_ADDR=address).get("/metrics").status_code == status


def test_nodes_and_machines_are_counted_by_state(world: SimpleNamespace) -> None:
    worlds.node(world.c1, "hv-03", paused=True)
    found = scrape()
    assert value(found, "clustermgr_nodes", cluster="c1", state="up") == 2
    assert value(found, "clustermgr_nodes", cluster="c1", state="paused") == 1
    assert value(found, "clustermgr_vms", cluster="c1", state="running") == 2
    assert value(found, "clustermgr_vms", cluster="c1", state="off") == 1
    assert value(found, "clustermgr_vms", cluster="c1", state="failed") == 0


def test_the_queue_and_its_oldest_order_are_told(world: SimpleNamespace, clock: VirtualClock) -> None:
    clock.advance(90)
    found = scrape()
    queued = {"cluster": "c1", "kind": "live_migration", "state": "queued"}
    assert value(found, "clustermgr_operations_active", **queued) == 1
    assert value(found, "clustermgr_oldest_queued_operation_seconds", cluster="c1") == 90


def test_slots_and_the_silence_of_the_watch_are_told(world: SimpleNamespace, clock: VirtualClock) -> None:
    for node in (world.one, world.two):
        world.task.slots.create(node=node, number=1)
    WatchShard.objects.update(heard_at=clock.now() - timedelta(seconds=7))
    found = scrape()
    assert value(found, "clustermgr_migration_slots", cluster="c1") == 2
    assert value(found, "clustermgr_migration_slots_in_use", cluster="c1") == 2
    assert value(found, "clustermgr_watch_silence_seconds", cluster="c1") == 7


def test_ended_operations_are_counted_and_their_durations_too(
    world: SimpleNamespace, clock: VirtualClock
) -> None:
    for seconds, state in ((3, OperationState.SUCCEEDED), (40, OperationState.FAILED)):
        row = worlds.operation(world.web01, lease_owner="me")
        clock.advance(seconds)
        leases.settle(row, state, outcome="Over.")
    found, move = scrape(), {"cluster": "c1", "kind": "live_migration"}
    name = "clustermgr_operation_duration_seconds"
    ended = [value(found, "clustermgr_operations_total", **move, outcome=each) for each in ENDS]
    within = [value(found, f"{name}_bucket", **move, le=le) for le in ("2.5", "5.0", "60.0", "+Inf")]
    assert (ended, within) == ([1, 1, 0], [0, 1, 2, 2])
    assert (value(found, f"{name}_count", **move), value(found, f"{name}_sum", **move)) == (2, 43)


def test_a_scrape_costs_few_queries_whatever_there_is(world: SimpleNamespace) -> None:
    worlds.node(worlds.cluster("c2"), "other")
    headers = bearer()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        Client().get("/metrics", headers=headers)
    assert len(queries) <= 9


def test_requests_are_counted_by_the_name_of_their_address(world: SimpleNamespace) -> None:
    name = "clustermgr_http_request_duration_seconds_count"
    labels = {"method": "GET", "route": "sign-in", "status": "2xx"}
    before = scrape().get(name, {}).get(frozenset(labels.items()), 0)
    Client().get("/sign-in/")
    Client().get("/no-such-page-" + "x" * 30)
    found = scrape(**bearer("operator"))
    assert value(found, name, **labels) == before + 1
    assert not [labels for labels in found[name] if "no-such-page" in str(labels)]


def test_a_process_tells_its_own_and_names_itself(world: SimpleNamespace) -> None:
    text = Client().get("/metrics", headers=bearer()).content.decode()
    of_the_process = [line for line in text.splitlines() if line.startswith(("process_", "clustermgr_live_"))]
    assert of_the_process
    assert all(f'process="{meters.PROCESS}"' in line for line in of_the_process)


def test_without_a_database_the_process_still_tells_of_itself(
    world: SimpleNamespace, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> Any:
        raise OperationalError("away")

    monkeypatch.setattr(metrics, "figures", gone)
    found = scrape(**bearer())
    assert list(found["clustermgr_database_up"].values()) == [0]
    assert "clustermgr_vms" not in found


def test_each_metric_of_ours_is_explained(world: SimpleNamespace) -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text()
    families = [family.name for family in exposition.Exposition([]).collect()]
    missing = [name for name in families if name.startswith("clustermgr_") and f"`{name}" not in text]
    assert not missing, f"docs/monitoring.md says nothing of {missing}"
