"""Fixtures of the HTML entrance: a small world, and browsers that are signed in."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from clustermgr.core.states import OperationState, VmState
from tests import worlds

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def _plain_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def world(db: None) -> SimpleNamespace:
    """Cluster c1 with two nodes, a volume, VMs in several states, a task, an event and a drift."""
    c1 = worlds.cluster("c1")
    one, two = worlds.node(c1, "hv-01"), worlds.node(c1, "hv-02")
    csv = worlds.volume(c1, "csv1")
    worlds.network(c1, "prod")
    web01 = worlds.vm("web01", on=one, volume=csv)
    off01 = worlds.vm("off01", on=one, volume=csv, state=VmState.OFF)
    busy01 = worlds.vm("busy01", on=one, volume=csv)
    task = worlds.operation(busy01, target=two, state=OperationState.QUEUED, phase="queued")
    drift = worlds.drift(off01)
    event = worlds.event(c1, "vm_started", vm=web01, node=one)
    return SimpleNamespace(
        c1=c1,
        one=one,
        two=two,
        csv=csv,
        web01=web01,
        off01=off01,
        busy01=busy01,
        task=task,
        drift=drift,
        event=event,
        url="/c/c1/",
    )


@pytest.fixture
def as_(db: None) -> Callable[[str], Client]:
    """`as_("operator")`: a browser of that role; "outsider" has none, "nobody" is not signed in."""

    def browser(role: str, **options: Any) -> Client:
        client = Client(**options)
        if role != "nobody":
            maker = {"administrator": worlds.admin}.get(role) or getattr(worlds, role)
            client.force_login(maker(), backend=MODEL_BACKEND)
        return client

    return browser


@pytest.fixture
def ana(as_: Callable[[str], Client]) -> Client:
    """The administrator's browser."""
    return as_("administrator")
