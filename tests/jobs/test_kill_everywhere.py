"""Every kind of order, struck at every single act: a dead worker, a lost answer, a lost call.

Whatever was struck, the VM runs at most once, and in the end the rows say what the hosts show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clustermgr.actions import vms
from clustermgr.jobs.engine import decide
from clustermgr.models import Operation, Vm
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.joining import join_new_vms
from tests.jobs.test_recovery import crash
from tests.jobs.truth import lies

#: Acts of an order, at most; one small VM is made for each.
AT_MOST = {"left_failed": 28}
TURNED_OFF = {"target": "n3", "offline_action": "turn_off"}


def ordered(stage: Stage, vm: Vm, verb: str, **more: Any) -> Operation:
    if verb == "recover":
        crash(stage, vm.name)
        decide(stage.cluster.pk)
        return Operation.objects.get(vm=vm, state="queued")
    if "target" in more:
        more["target"] = stage.node(more["target"])
    if verb == "change_settings":
        more |= {"version": vm.config_version, "changes": {"notes": "new", "memory_mib": 512}}
    return getattr(vms, verb)(actor=stage.actor, vm=vm, **more)


KINDS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    # name: (state before, verb, its arguments, faults of the VM)
    "live": ("running", "live_migrate", {"target": "n3"}, {}),
    "live_fails": ("running", "live_migrate", {"target": "n3"}, {"migrate_fails": 1}),
    "quick": ("running", "quick_migrate", {"target": "n3"}, {}),
    "quick_save_fails": ("running", "quick_migrate", {"target": "n3"}, {"save_fails": 1}),
    "move": ("running", "move", {"target": "n3", "offline_action": "shut_down_forced"}, {}),
    "move_comes_home": ("running", "move", TURNED_OFF, {"start_fails_on": {"n3": 1}}),
    "move_starts_nowhere": ("running", "move", TURNED_OFF, {"start_fails": 9}),
    "move_off": ("off", "move", {"target": "n3"}, {}),
    "start": ("off", "start", {}, {}),
    "start_fails": ("off", "start", {}, {"start_fails": 9}),
    "resume": ("paused", "start", {}, {}),
    "shut_down": ("running", "shut_down", {}, {}),
    "turn_off": ("running", "turn_off", {}, {}),
    "save": ("running", "save", {}, {}),
    "save_fails": ("running", "save", {}, {"save_fails": 1}),
    "settings": ("running", "change_settings", {}, {}),
    "restart": ("running", "recover", {}, {}),
    "fail_over": ("running", "recover", {}, {"start_fails_on": {"n1": 1}}),
    "left_failed": ("running", "recover", {}, {"start_fails": 9}),
}  # fmt: skip


#: Kind -> how often such an order acts at least: calls that change a host; the same with commits.
ACTS: dict[str, tuple[int, int]] = {
    "live": (1, 5),
    "live_fails": (1, 4),
    "quick": (6, 14),
    "quick_save_fails": (1, 3),
    "move": (5, 12),
    "move_comes_home": (6, 14),
    "move_starts_nowhere": (5, 12),
    "move_off": (2, 5),
    "start": (2, 6),
    "start_fails": (1, 4),
    "resume": (1, 3),
    "shut_down": (1, 3),
    "turn_off": (1, 3),
    "save": (1, 3),
    "save_fails": (1, 3),
    "settings": (1, 3),
    "restart": (2, 6),
    "fail_over": (5, 12),
    "left_failed": (7, 16),
}
#: What may happen to one call that changes a host.
STRIKES: dict[str, killing.Strike] = {
    "no_answer": killing.no_answer,
    "lost": killing.lost,
    "no_answer_in_the_handle": killing.through_the_handle(killing.no_answer),
    "lost_in_the_handle": killing.through_the_handle(killing.lost),
}


def each_act(stage: Stage, kind: str, acts: killing.Acts, strike: Callable[[Vm], None]) -> list[str]:
    """One small VM for each act of this kind of order; what is untrue after its order was struck there, and
    whether it was struck as often as such an order acts."""
    before, verb, more, faults = KINDS[kind]
    names = [f"vm-{at}" for at in range(AT_MOST.get(kind, 16))]
    for name in names:
        stage.world.vm(name, on="n1", memory_mib=256, state=before)
    join_new_vms(stage)
    found: list[str] = []
    for at, name in enumerate(names):
        vm = stage.vm(name)
        stage.faults.plan(vm.uuid, faults)
        operation = ordered(stage, vm, verb, **more)
        acts.arm(at)
        killing.killed_at(stage, operation.pk)
        done = acts.names
        if not acts.struck:
            if at < ACTS[kind][acts.commits]:
                found.append(f"only {at} acts were struck: {done}")
            return found + [f"undisturbed: {lie}" for lie in lies(stage, name)]
        acts.at = None
        strike(vm)
        found += [f"struck at {done[-1]} after {done[:-1]}: {lie}" for lie in lies(stage, name)]
    return [*found, "there are more acts than VMs"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_killed_before_any_act_is_followed_by_another_that_ends_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    acts = killing.Acts(killing.kill, commits=True).install(monkeypatch)
    assert each_act(stage, kind, acts, lambda vm: killing.take_over(stage)) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strike", STRIKES.values(), ids=STRIKES)
def test_a_call_without_an_answer_is_followed_by_a_true_outcome(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: str, strike: Any
) -> None:
    acts = killing.Acts(strike, commits=False).install(monkeypatch)
    end = stage.clock.monotonic() + 4200
    with killing.until(stage, end):
        assert each_act(stage, kind, acts, lambda vm: None) == []
    assert stage.clock.monotonic() < end
