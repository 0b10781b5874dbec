"""A saved state is restored once (safety.md 2.4): whoever orders it, and wherever a worker dies."""

from __future__ import annotations

from typing import Any

import pytest

from clustermgr.actions import vms
from clustermgr.core.states import OperationState, VmState
from clustermgr.drivers.contract import DomainState
from clustermgr.jobs import work as works
from clustermgr.models import Operation, Vm
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.test_watch import Watch
from tests.jobs.truth import lies


class Restores:
    """Every restore of a file that a host carried out, and whether the VM had run since it was saved."""

    def __init__(self, stage: Stage, patch: pytest.MonkeyPatch) -> None:
        self.stage, self.ran, self.found = stage, set(), []  # type: ignore[var-annotated]
        connect = works.connect_to
        patch.setattr(works, "connect_to", lambda *args, **named: _Watched(connect(*args, **named), self))


class _Watched:
    def __init__(self, host: Any, restores: Restores) -> None:
        self._host, self._restores = host, restores

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def resume(self, uuid: str) -> None:
        self._restores.ran.add(uuid)
        self._host.resume(uuid)

    def begin_save(self, uuid: str, path: str) -> Any:
        self._restores.ran.discard(uuid)
        return self._host.begin_save(uuid, path)

    def begin_restore(self, path: str) -> Any:
        uuid = path.rpartition("/")[2][:36]
        if uuid in self._restores.ran:
            self._restores.found.append(path)
        return self._host.begin_restore(path)


@pytest.fixture
def restores(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Restores:
    return Restores(stage, monkeypatch)


def saved(stage: Stage, name: str) -> Vm:
    vms.save(actor=stage.actor, vm=stage.vm(name))
    stage.run()
    assert stage.vm(name).state == VmState.SAVED
    return stage.vm(name)


@pytest.mark.parametrize("at", range(12))
@pytest.mark.parametrize("verb", ["start", "quick_migrate"])
def test_killed_at_any_point_no_state_is_restored_after_its_vm_ran(
    stage: Stage, restores: Restores, monkeypatch: pytest.MonkeyPatch, verb: str, at: int
) -> None:
    more: dict[str, Any] = {"target": stage.node("n3")} if verb == "quick_migrate" else {}
    vm = saved(stage, "web") if verb == "start" else stage.vm("web")
    acts = killing.Acts(killing.kill, commits=True).install(monkeypatch)
    order: Operation = getattr(vms, verb)(actor=stage.actor, vm=vm, **more)
    acts.arm(at)
    killing.killed_at(stage, order.pk)
    acts.at = None
    crash_if_it_runs(stage)
    killing.take_over(stage)
    Watch(stage).seconds(15)
    if not stage.where("web"):
        vms.start(actor=stage.actor, vm=stage.vm("web"))
        stage.run()
    assert list(stage.where("web").values()) == [DomainState.RUNNING]
    assert restores.found == []
    assert stage.world.double_runs() == []


def crash_if_it_runs(stage: Stage) -> None:
    """What it wrote to its disks meanwhile makes the file old."""
    if DomainState.RUNNING in stage.where("web").values():
        stage.faults.crash(stage.vm("web").uuid)


def test_a_copy_that_somebody_restored_by_hand_spends_the_file(stage: Stage, restores: Restores) -> None:
    vm = saved(stage, "web")
    path = vm.saved_file
    works.connect_to(stage.node("n1")).begin_restore(path)
    stage.clock.advance(30)
    order = vms.start(actor=stage.actor, vm=vm)
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED, stage.fresh(order).outcome
    assert not works.connect_to(stage.node("n1")).has_file(path)
    assert lies(stage, "web") == []


def test_a_file_that_cannot_be_deleted_is_not_restored_a_second_time(
    stage: Stage, restores: Restores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was marked as spent when the target had it: at home the VM starts from its disks."""
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    acts = killing.Acts(lambda _, call: cut(stage, call), commits=False).install(monkeypatch)
    monkeypatch.setattr(acts, "act", lambda name, call: cut(stage, call) if name == "delete_file" else call())
    stage.run()
    assert "was started again from its disks on n1" in stage.fresh(order).outcome
    assert stage.where("web") == {"n1": DomainState.RUNNING}
    assert restores.found == []
    assert stage.vm("web").saved_file == ""


def cut(stage: Stage, call: Any) -> Any:
    stage.faults.storage_cut("n3", "csv1")
    return call()
