"""One live migration on the real processes, read in their log and in their metrics."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.conftest import clusterctl
from tests.setup.conftest import wait_until
from tests.stack import Stack

BY_TIME = itemgetter("time")
pytestmark = [pytest.mark.redis, pytest.mark.slow]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path, CLUSTERMGR_LOG="json") as stack:
        wait_until((tmp_path / "clusterctl.json").exists)
        yield stack


def move(stack: Stack) -> int:
    here = {"CLUSTERMGR_VAR": str(stack.var), "CLUSTERCTL_URL": "", "CLUSTERCTL_TOKEN": ""}
    moved = clusterctl("vm", "live-migrate", "web01", "--to", "hv-03", "--wait", "--json", **here)
    assert moved.returncode == 0, moved.stderr
    return int(json.loads(moved.stdout)["id"])


def lines(stack: Stack) -> list[dict[str, Any]]:
    """Each line of the log is an object, whichever program wrote it."""
    return [json.loads(line) for line in stack.log().splitlines()]


def total(stack: Stack, name: str, **labels: str) -> float:
    token = json.loads((stack.var / "clusterctl.json").read_text())["token"]
    request = urllib.request.Request(f"{stack.url}/metrics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    found = (sample for family in families for sample in family.samples if sample.name == name)
    return sum(sample.value for sample in found if labels.items() <= sample.labels.items())


def test_a_move_is_told_from_order_to_end_by_its_number(stack: Stack) -> None:
    number = move(stack)
    told = sorted((line for line in lines(stack) if line.get("operation") == number), key=BY_TIME)
    assert told[0]["process"] == "web"
    assert {line["process"] for line in told} == {"web", "worker"}
    assert {line["vm"] for line in told} == {"web01"}
    assert "was ordered" in told[0]["message"]
    assert told[0]["user"] == "admin"
    assert "web01 now runs on hv-03" in told[-1]["message"]
    what = {"kind": "live_migration", "outcome": "succeeded"}
    assert total(stack, "clustermgr_operations_total", **what) == 1
    assert total(stack, "clustermgr_operation_duration_seconds_count", kind="live_migration") == 1
