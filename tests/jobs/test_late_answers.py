"""Calls that a host carries out after their answer was given up (safety.md 1.3): one copy, and a true word.

A call is struck, the host is silent about it, and some seconds later it does what it was told after all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from clustermgr.actions import operations, vms
from clustermgr.core.states import OperationState, VmState
from clustermgr.drivers.contract import DomainState, Failed
from clustermgr.drivers.lab.driver import LabHost
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.jobs.engine import decide
from clustermgr.jobs.operations import one_step
from clustermgr.models import Event, Holder, Operation
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.test_kill_everywhere import each_act
from tests.jobs.test_recovery import crash
from tests.jobs.truth import lies

#: What each kind of call is called in the contract.
START, RESTORE = "begin_start", "begin_restore"


class Strike:
    """Strikes the first call of one name; the others are made as usual. `told`: how a lost answer is told."""

    made: ClassVar[list[Strike]] = []
    told: ClassVar[Callable[[killing.Strike], killing.Strike]] = staticmethod(lambda strike: strike)

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str, seconds: float) -> None:
        self.late, self.name, self.calls = killing.Late(stage, seconds), name, 0
        killing.Acts(lambda _, call: call(), commits=False).install(monkeypatch)
        monkeypatch.setattr(killing.Acts, "act", self.act)
        self.made.append(self)

    def act(self, name: str, call: Any) -> Any:
        self.calls += name == self.name
        if name != self.name or self.calls != 1:
            return call()
        return Strike.told(self.late)(name, call)


@pytest.fixture(autouse=True, params=["no answer", "lost in its handle"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test with either word for a lost answer; a strike that never struck shows nothing."""
    Strike.made.clear()
    if request.param == "lost in its handle":
        monkeypatch.setattr(Strike, "told", staticmethod(killing.through_the_handle))
    yield
    assert [strike.name for strike in Strike.made if not strike.calls] == []


def done(stage: Stage, order: Operation, *, seconds: float = 60.0) -> Operation:
    """The order is carried to its end, and what comes late has come."""
    stage.run()
    stage.clock.advance(seconds)
    assert stage.world.double_runs() == []
    return stage.fresh(order)


@pytest.mark.parametrize("seconds", [0.5, 3.0, 20.0])
def test_a_start_that_is_carried_out_late_is_this_one_copy(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    Strike(stage, monkeypatch, START, seconds)
    order = done(stage, vms.start(actor=stage.actor, vm=stage.vm("idle")))
    assert order.state == OperationState.SUCCEEDED, order.outcome
    assert lies(stage, "idle") == []


@pytest.mark.parametrize(
    ("seconds", "state", "copies"),
    [(4.0, "succeeded", 1), (5.0, "succeeded", 1), (6.6, "failed", 0), (7.5, "failed", 0)],
)
def test_no_start_is_called_failed_while_it_can_still_succeed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float, state: str, copies: int
) -> None:
    """The order is given again, and fails; the first one comes late and is this copy, or finds nothing."""
    strike = Strike(stage, monkeypatch, START, seconds)
    stage.faults.plan(stage.vm("idle").uuid, {"start_fails": 1})
    order = done(stage, vms.start(actor=stage.actor, vm=stage.vm("idle")))
    assert (order.state, len(stage.where("idle"))) == (state, copies), order.outcome
    assert (strike.calls, strike.late.waiting) == (2, [])
    assert lies(stage, "idle") == []


@pytest.mark.parametrize(("seconds", "home"), [(4.0, "n1"), (6.6, "n3"), (9.0, "n3"), (30.0, "n3")])
def test_after_a_late_start_at_home_a_vm_fails_over_to_one_node_only(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float, home: str
) -> None:
    stage.faults.image_lock("csv1", locks=False)
    crash(stage, "web")
    stage.faults.plan(stage.vm("web").uuid, {"start_fails_on": {"n1": 1}})
    decide(stage.cluster.pk)
    Strike(stage, monkeypatch, START, seconds)
    order = done(stage, Operation.objects.get(vm=stage.vm("web")))
    assert order.state == OperationState.SUCCEEDED, order.outcome
    assert stage.where("web") == {home: DomainState.RUNNING}
    assert lies(stage, "web") == []


@pytest.mark.parametrize("seconds", [4.0, 30.0])
def test_a_vm_left_failed_after_a_late_start_keeps_its_definition(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    crash(stage, "web")
    stage.faults.plan(stage.vm("web").uuid, {"start_fails": 9})
    decide(stage.cluster.pk)
    Strike(stage, monkeypatch, START, seconds)
    order = done(stage, Operation.objects.get(vm=stage.vm("web")), seconds=1)
    assert order.state == OperationState.FAILED
    assert lies(stage, "web") == []


@pytest.mark.parametrize("seconds", [0.5, 3.0, 20.0])
def test_a_late_restore_is_this_one_copy(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    vms.save(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    Strike(stage, monkeypatch, RESTORE, seconds)
    order = done(stage, vms.start(actor=stage.actor, vm=stage.vm("web")))
    assert order.state == OperationState.SUCCEEDED, order.outcome
    assert lies(stage, "web") == []


def refuse_again(stage: Stage, monkeypatch: pytest.MonkeyPatch, node: str, strike: Strike) -> None:
    """While the order is given a second time, `node` does not reach the volume."""
    real = strike.act

    def act(name: str, call: Any) -> Any:
        again = name == strike.name and strike.calls == 1
        if again:
            stage.faults.storage_cut(node, "csv1")
        try:
            return real(name, call)
        finally:
            if again:
                stage.faults.storage_mend(node, "csv1")

    monkeypatch.setattr(killing.Acts, "act", staticmethod(act))


def test_a_restore_in_doubt_is_revoked_by_deleting_its_file_before_the_vm_starts_at_home(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.faults.image_lock("csv1", locks=False)
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    refuse_again(stage, monkeypatch, "n3", Strike(stage, monkeypatch, RESTORE, 30.0))
    failed = done(stage, order)
    assert failed.state == OperationState.FAILED
    assert "saved state was given up" in failed.outcome
    assert stage.where("web") == {"n1": DomainState.RUNNING}
    assert lies(stage, "web") == []


def test_a_node_that_lost_the_folder_does_not_say_that_the_file_is_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a mount that is lost there is an empty folder; the nodes that have the volume know better."""
    real = LabHost.has_file
    monkeypatch.setattr(LabHost, "has_file", lambda host, path: host.name != "n3" and real(host, path))
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    refuse_again(stage, monkeypatch, "n3", Strike(stage, monkeypatch, RESTORE, 30.0))
    assert done(stage, order).state == OperationState.FAILED
    assert stage.world.saved_file(stage.vm("web").uuid) == ""
    assert lies(stage, "web") == []


def test_a_file_that_only_one_of_two_nodes_says_is_gone_is_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_file(host: LabHost, path: str) -> bool:
        if host.name == "n3":
            return False
        raise Failed("The volume is not reached.")

    monkeypatch.setattr(LabHost, "has_file", has_file)
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    refuse_again(stage, monkeypatch, "n3", Strike(stage, monkeypatch, RESTORE, 600.0))
    assert "No node can delete the saved state" in done(stage, order).outcome
    assert Event.objects.filter(code="vm_held").exists()
    assert stage.where("web") == {}


def test_a_restore_in_doubt_at_home_keeps_its_file_and_its_node_as_a_holder(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    vms.save(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    order = vms.start(actor=stage.actor, vm=stage.vm("web"))
    refuse_again(stage, monkeypatch, "n1", Strike(stage, monkeypatch, RESTORE, 30.0))
    failed = done(stage, order, seconds=1)
    assert (failed.state, stage.vm("web").state) == (OperationState.FAILED, VmState.SAVED)
    assert [holder.node.name for holder in Holder.objects.filter(vm=stage.vm("web"))] == ["n1"]
    stage.clock.advance(60)
    vms.start(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    assert lies(stage, "web") == []


@pytest.mark.parametrize("seconds", [0.5, 1.5, 4.0])
def test_a_migration_that_begins_late_is_followed_to_its_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    Strike(stage, monkeypatch, "begin_migrate", seconds)
    order = done(stage, vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n2")))
    assert order.state == OperationState.SUCCEEDED, order.outcome
    assert lies(stage, "web") == []


@pytest.mark.parametrize("seconds", [0.5, 3.0, 20.0])
def test_a_save_that_begins_late_is_still_this_save(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    Strike(stage, monkeypatch, "begin_save", seconds)
    order = done(stage, vms.save(actor=stage.actor, vm=stage.vm("web")))
    assert order.state == OperationState.SUCCEEDED, order.outcome
    assert lies(stage, "web") == []


def cancelled_save(stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float) -> Operation:
    """A save has no answer and is cancelled at once; so many seconds after its call the host obeys it."""
    Strike(stage, monkeypatch, "begin_save", seconds)
    order = vms.save(actor=stage.actor, vm=stage.vm("web"))
    work = killing.taken(stage, order.pk)
    one_step(work)
    operations.cancel(actor=stage.actor, operation=stage.fresh(order))
    killing.finish(stage, work)
    stage.clock.advance(60)
    return stage.fresh(order)


@pytest.mark.parametrize("seconds", [1.0, 3.0, 7.9])
def test_a_cancelled_save_that_begins_late_is_aborted_and_the_vm_runs_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    order = cancelled_save(stage, monkeypatch, seconds)
    assert order.state == OperationState.CANCELLED, order.outcome
    assert stage.where("web") == {"n1": DomainState.RUNNING}
    assert lies(stage, "web") == []


def test_a_cancelled_save_that_was_whole_before_it_could_be_aborted_is_a_save(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the answer was lost: the memory is in the file, and nowhere else."""
    stage.world.set_speeds(disk_mib_s=1 << 20)
    order = cancelled_save(stage, monkeypatch, 2.9)
    assert order.state == OperationState.SUCCEEDED, order.outcome
    assert (stage.vm("web").state, bool(stage.vm("web").saved_file)) == (VmState.SAVED, True)
    assert lies(stage, "web") == []


def test_a_file_that_a_cancelled_save_left_half_written_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LabHost, "has_file", lambda *_: True)
    order = cancelled_save(stage, monkeypatch, 600.0)
    assert order.state == OperationState.CANCELLED
    assert order.memory["path"] in order.outcome


@pytest.mark.parametrize("seconds", [0.7, 3.0])
@pytest.mark.parametrize(
    "kind",
    ["live", "live_fails", "quick", "move", "move_comes_home", "start", "start_fails", "resume", "fail_over"],
)
def test_whatever_call_is_carried_out_late_the_rows_are_true(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: str, seconds: float
) -> None:
    late = killing.Late(stage, seconds)
    acts = killing.Acts(Strike.told(late), commits=False).install(monkeypatch)
    end = stage.clock.monotonic() + 4200
    with killing.until(stage, end):
        assert each_act(stage, kind, acts, lambda vm: stage.clock.advance(60)) == []
    assert stage.clock.monotonic() < end


def test_a_late_resume_finds_no_copy_when_somebody_started_the_vm_elsewhere_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.faults.image_lock("csv1", locks=False)
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    strike = Strike(stage, monkeypatch, "resume", 12.0)

    def act(name: str, call: Any) -> Any:
        if name == "resume" and not strike.calls:
            OnHost(stage.world, "n1").start(stage.vm("web").uuid)
        return strike.act(name, call)

    monkeypatch.setattr(killing.Acts, "act", staticmethod(act))
    failed = done(stage, order)
    assert failed.state == OperationState.FAILED
    assert stage.where("web") == {"n1": DomainState.RUNNING}


def test_a_host_that_is_long_about_a_start_gives_a_reason(stage: Stage) -> None:
    stage.world.set_speeds(start_s=60)
    order = vms.start(actor=stage.actor, vm=stage.vm("idle"))
    killing.carry(stage, order.pk, seconds=30)
    assert "n1 is still starting idle" in stage.fresh(order).wait_reason
    killing.take_over(stage)
    assert stage.fresh(order).state == OperationState.SUCCEEDED
    assert Event.objects.filter(operation=order, code="vm_started").exists()


def test_a_save_that_ended_while_the_daemon_was_away_is_a_save(stage: Stage) -> None:
    """A daemon that starts again has forgotten why the VM is off; the file says that it is whole."""
    order = vms.save(actor=stage.actor, vm=stage.vm("db"))
    killing.carry(stage, order.pk, seconds=1)
    stage.faults.agent_off("n1")
    stage.clock.advance(30)
    stage.faults.agent_on("n1")
    killing.take_over(stage)
    assert stage.fresh(order).state == OperationState.SUCCEEDED, stage.fresh(order).outcome
    assert stage.vm("db").saved_file
    assert lies(stage, "db") == []


def test_a_copy_that_a_disk_error_stops_at_home_is_left_there_with_its_memory(stage: Stage) -> None:
    """Also when its worker died: destroying it would lose what only that copy has."""
    vms.save(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    order = vms.start(actor=stage.actor, vm=stage.vm("web"))
    work = killing.carry(stage, order.pk, seconds=0.1)
    while stage.fresh(order).step != "resume":
        stage.clock.advance(one_step(work) or 0)
    with stage.world.write() as tx:
        tx.set_copy("n1", stage.vm("web").uuid, state=DomainState.PAUSED_IO, reason="I/O error")
    stage.faults.storage_cut("n1", "csv1")
    killing.take_over(stage)
    assert stage.fresh(order).state == OperationState.FAILED
    assert stage.where("web") == {"n1": DomainState.PAUSED_IO}
    assert stage.vm("web").state == VmState.PAUSED_CRITICAL
