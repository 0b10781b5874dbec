"""Fixtures for every test: virtual time, a runner that only records, a private var folder, what is skipped.

The builders of rows are in tests/worlds.py; what one folder alone needs is in that folder's conftest.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator

import pytest

from clustermgr import ports
from tests import abilities
from tests.fakes import RecordingRunner, VirtualClock
from tests.settings import PRIVATE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot do, with one line that says why; in CI such a skip is an error."""
    for item in items:
        for name, reason in abilities.MISSING.items():
            if item.get_closest_marker(name) and reason():
                item.add_marker(pytest.mark.skip(reason=f"{name}: {reason()}"))


def pytest_sessionfinish() -> None:
    shutil.rmtree(PRIVATE, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    needed = any(item.get_closest_marker(name) for name in abilities.MISSING)
    if report.skipped and needed and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"In CI this may not be skipped: {report.longrepr}"
    return report


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    """Virtual time, installed as the port: `clock.advance(5)`. Nothing ever waits."""
    real, virtual = ports.clock(), VirtualClock()
    ports.install(clock=virtual)
    yield virtual
    ports.install(clock=real)


@pytest.fixture(autouse=True)
def runner() -> Iterator[RecordingRunner]:
    """What was enqueued, instead of a broker: `runner.names`, and `runner.drain()` to run it here."""
    real, recording = ports.runner(), RecordingRunner()
    ports.install(runner=recording)
    yield recording
    ports.install(runner=real)
