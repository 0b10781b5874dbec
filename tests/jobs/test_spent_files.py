"""A saved state is restored once (safety.md 2.4): whoever orders it, and wherever a worker dies."""

from __future__ import annotations

from typing import Any

import pytest

from clustermgr.actions import vms
from clustermgr.core.states import OperationState, VmState
from clustermgr.drivers.contract import Busy, DomainState
from clustermgr.drivers.lab.driver import LabHost
from clustermgr.drivers.registry import connect
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


@pytest.fixture
def undeletable(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No host deletes a file, for the reason in this list while there is one."""
    reasons = ["The volume is busy on this host."]
    real = LabHost.delete_file

    def delete_file(host: LabHost, path: str) -> None:
        if reasons:
            raise Busy(reasons[0])
        real(host, path)

    monkeypatch.setattr(LabHost, "delete_file", delete_file)
    return reasons


def test_a_copy_waits_paused_until_its_file_can_be_deleted(
    stage: Stage, restores: Restores, undeletable: list[str]
) -> None:
    """All of its memory is in this copy: a pool that is busy for a minute must not cost it."""
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    work = killing.until_step(stage, order, "spent")
    killing.steps(stage, work, 300)
    assert stage.where("web") == {"n3": DomainState.PAUSED}
    assert "The volume is busy on this host." in stage.fresh(order).wait_reason
    undeletable.clear()
    killing.finish(stage, work)
    assert stage.fresh(order).state == OperationState.SUCCEEDED, stage.fresh(order).outcome
    assert stage.where("web") == {"n3": DomainState.RUNNING}
    assert lies(stage, "web") == []


def test_a_copy_that_is_turned_off_while_it_waits_ends_that_and_its_file_is_not_restored(
    stage: Stage, restores: Restores, undeletable: list[str]
) -> None:
    """It was marked as spent when the target had it: at home the VM starts from its disks."""
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    work = killing.until_step(stage, order, "spent")
    killing.steps(stage, work, 30)
    connect("lab", "lab:n3").destroy(stage.vm("web").uuid)
    killing.finish(stage, work)
    assert "was started again from its disks on n1" in stage.fresh(order).outcome
    assert stage.where("web") == {"n1": DomainState.RUNNING}
    assert restores.found == []
    assert stage.vm("web").saved_file == ""


def test_the_file_of_a_copy_that_is_gone_is_deleted_all_the_same(stage: Stage, restores: Restores) -> None:
    """It may have run for a moment: its disks are newer than the file then."""
    vm = saved(stage, "web")
    work = killing.until_step(stage, vms.start(actor=stage.actor, vm=vm), "spent")
    connect("lab", "lab:n1").destroy(vm.uuid)
    killing.finish(stage, work)
    assert stage.world.saved_file(vm.uuid) == ""
    assert (stage.vm("web").saved_file, stage.where("web")) == ("", {})


def test_a_file_that_its_own_node_cannot_delete_is_deleted_through_another(
    stage: Stage, restores: Restores, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LabHost.has_file
    busy = Busy("The volume is busy on this host.")
    monkeypatch.setattr(
        LabHost, "has_file", lambda host, path: real(host, path) if host.name != "n3" else raised(busy)
    )
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    stage.run()
    assert stage.fresh(order).state == OperationState.SUCCEEDED, stage.fresh(order).outcome
    assert lies(stage, "web") == []


def raised(error: Exception) -> bool:
    raise error
