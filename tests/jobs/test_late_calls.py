"""A worker that pauses between its lease and its call makes no call: another may be at work by then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clustermgr.actions import leases, vms
from clustermgr.core.states import OperationState
from clustermgr.jobs.work import Work
from clustermgr.models import Operation
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.truth import lies


@pytest.mark.parametrize(
    ("verb", "name", "more"),
    [
        ("start", "idle", {}),
        ("turn_off", "web", {}),
        ("live_migrate", "web", {"target": "n3"}),
        ("save", "web", {}),
    ],
)
def test_what_comes_too_late_is_not_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, verb: str, name: str, more: dict[str, Any]
) -> None:
    order = ordered(stage, verb, name, more)
    before = stage.where(name)

    def paused(_: str, call: Callable[[], Any]) -> Any:
        stage.clock.advance(leases.LEASE_S + 1)
        return call()

    acts = killing.Acts(paused, commits=False).install(monkeypatch)
    acts.arm(0)
    with pytest.raises(leases.LeaseLost):
        killing.carry(stage, order.pk, seconds=5)
    assert acts.struck
    assert stage.where(name) == before
    acts.at = None
    assert leases.claim(order.pk, "worker-2")
    killing.finish(stage, Work(order.pk, "worker-2"))
    # Of a live migration that was never begun the next owner can only say that no move took place.
    assert stage.fresh(order).state == (OperationState.FAILED if more else OperationState.SUCCEEDED)
    stage.clock.advance(60)
    assert lies(stage, name) == []


def ordered(stage: Stage, verb: str, name: str, more: dict[str, Any]) -> Operation:
    nodes = {word: stage.node(node) for word, node in more.items()}
    return getattr(vms, verb)(actor=stage.actor, vm=stage.vm(name), **nodes)
