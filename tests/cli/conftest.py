"""Fixtures of the command line: a console that listens, a small world in it, and clusterctl against it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clustermgr.api.auth import tries
from clustermgr.cli.main import main
from clustermgr.core.states import OperationState, VmState
from tests import worlds
from tests.api.conftest import token_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def console(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The world of the API's tests behind a real socket; clusterctl is an administrator there."""
    tries.forget()
    c1 = worlds.cluster("c1")
    one, two = worlds.node(c1, "hv-01"), worlds.node(c1, "hv-02")
    csv = worlds.volume(c1, "csv1")
    worlds.network(c1, "prod")
    web01 = worlds.vm("web01", on=one, volume=csv)
    off01 = worlds.vm("off01", on=one, volume=csv, state=VmState.OFF)
    busy01 = worlds.vm("busy01", on=one, volume=csv)
    task = worlds.operation(busy01, target=two, state=OperationState.QUEUED, phase="queued")
    worlds.drift(off01)
    event = worlds.event(c1, "vm_started", vm=web01, node=one)
    user = worlds.admin()
    secret = token_of(user)
    monkeypatch.setenv("CLUSTERCTL_URL", live_server.url)
    monkeypatch.setenv("CLUSTERCTL_TOKEN", secret)
    monkeypatch.delenv("CLUSTERCTL_CLUSTER", raising=False)
    yield SimpleNamespace(
        c1=c1, one=one, two=two, web01=web01, off01=off01, task=task, event=event, url=live_server.url,
        secret=secret, user=user,
    )  # fmt: skip
    tries.forget()


@pytest.fixture
def ctl(capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """`ctl("vm", "list")` in this process: `.status`, `.out`, `.err`."""

    def run(*words: str) -> SimpleNamespace:
        status = main(words)
        printed = capsys.readouterr()
        return SimpleNamespace(status=status, out=printed.out, err=printed.err)

    return run


def clusterctl(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "clustermgr.cli", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
