"""No order waits for ever for a host that says no, or for a copy that somebody else made: it ends, and what
it leaves is true (safety.md 1.4, 1.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clustermgr.actions import vms
from clustermgr.core.states import OperationState, VmState, Wanted
from clustermgr.drivers.contract import DomainState, HostUnreachable, Refused
from clustermgr.drivers.lab.driver import LabHost
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.drivers.registry import connect
from clustermgr.jobs import endings
from clustermgr.jobs.engine import decide
from clustermgr.jobs.operations import one_step, reap
from clustermgr.jobs.work import Work
from clustermgr.models import Event, Holder, Operation
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.test_late_answers import Strike
from tests.jobs.test_recovery import crash
from tests.jobs.test_stamps import swept
from tests.jobs.test_watch import Watch
from tests.jobs.truth import lies

SNAPSHOTS = "The host could not remove it: cannot delete inactive domain with 1 snapshots."
Refuse = Callable[[str, str], None]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """From now on this host refuses that call."""

    def refuse(host: str, verb: str) -> None:
        real = getattr(LabHost, verb)

        def call(self: LabHost, *args: Any) -> Any:
            if self.name == host:
                raise Refused(SNAPSHOTS)
            return real(self, *args)

        monkeypatch.setattr(LabHost, verb, call)

    return refuse


def ended(stage: Stage, order: Operation, *, within: float = 200.0) -> Operation:
    end = stage.clock.monotonic() + within
    while stage.fresh(order).active and stage.clock.monotonic() < end:
        with killing.until(stage, end):
            stage.run()
        stage.clock.advance(2)  # what was given back is sent again
        reap()
    assert not stage.fresh(order).active, stage.fresh(order).wait_reason
    return stage.fresh(order)


def until_tidy(stage: Stage, order: Operation) -> Work:
    work = killing.taken(stage, order.pk)
    while stage.fresh(order).step != "tidy":
        stage.clock.sleep(max(one_step(work) or 0, 0.01))
    return work


def held_by(stage: Stage, name: str) -> set[str]:
    return {holder.node.name for holder in Holder.objects.filter(vm=stage.vm(name))}


@pytest.mark.parametrize(("name", "verb"), [("web", "quick_migrate"), ("web", "move"), ("idle", "move")])
def test_a_move_is_done_when_only_the_old_definition_cannot_be_removed(
    stage: Stage, refuse: Refuse, name: str, verb: str
) -> None:
    refuse("n1", "undefine")
    done = ended(stage, getattr(vms, verb)(actor=stage.actor, vm=stage.vm(name), target=stage.node("n3")))
    assert done.state == OperationState.SUCCEEDED
    assert f"Its definition is still on n1: {SNAPSHOTS}" in done.outcome
    assert done.advice.startswith("When it is of no use, remove it there: virsh undefine")
    assert Event.objects.get(operation=done, level="warning").code == "move_left_definition"
    assert lies(stage, name, left_behind=True) == []


def test_a_vm_that_somebody_starts_at_home_during_its_move_is_frozen(stage: Stage) -> None:
    stage.faults.image_lock("csv1", locks=False)
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    work = until_tidy(stage, order)
    OnHost(stage.world, "n1").start(stage.vm("web").uuid)
    killing.finish(stage, work)
    assert stage.fresh(order).state == OperationState.FAILED
    assert Event.objects.get(code="vm_running_twice").level == "critical"
    assert (stage.vm("web").owner.name, held_by(stage, "web")) == ("n3", {"n1", "n3"})
    assert set(stage.where("web")) == {"n1", "n3"}


def test_a_vm_that_somebody_took_back_during_its_move_belongs_where_it_runs(stage: Stage) -> None:
    order = vms.move(
        actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"), offline_action="turn_off"
    )
    work = until_tidy(stage, order)
    connect("lab", "lab:n3").destroy(stage.vm("web").uuid)
    OnHost(stage.world, "n1").start(stage.vm("web").uuid)
    killing.finish(stage, work)
    assert "web was started on n1 meanwhile" in stage.fresh(order).outcome
    assert lies(stage, "web", left_behind=True) == []


def test_a_vm_that_somebody_starts_at_home_during_a_failover_is_frozen(stage: Stage) -> None:
    stage.faults.image_lock("csv1", locks=False)
    stage.faults.plan(stage.vm("web").uuid, {"start_fails_on": {"n1": 1}})
    crash(stage, "web")
    decide(stage.cluster.pk)
    order = Operation.objects.get(vm=stage.vm("web"))
    work = killing.taken(stage, order.pk)
    while DomainState.RUNNING not in stage.where("web").values():
        stage.clock.sleep(max(one_step(work) or 0, 0.01))
    OnHost(stage.world, "n1").start(stage.vm("web").uuid)
    killing.finish(stage, work)
    assert Event.objects.get(code="vm_running_twice").level == "critical"
    assert held_by(stage, "web") == {"n1", stage.vm("web").owner.name}


def test_a_start_that_can_be_neither_had_nor_called_off_holds_the_vm(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, refuse: Refuse
) -> None:
    """Nobody starts it elsewhere by itself while the host may still carry it out."""
    Strike(stage, monkeypatch, "begin_start", 600.0)
    stage.faults.plan(stage.vm("web").uuid, {"start_fails_on": {"n3": 1}})
    refuse("n3", "undefine")
    order = vms.move(
        actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"), offline_action="turn_off"
    )
    done = ended(stage, order)
    assert done.state == OperationState.FAILED
    assert f"It may still come up on n3, where that cannot be called off. {SNAPSHOTS}" in done.outcome
    assert Event.objects.get(code="vm_held").level == "critical"
    assert "n3" in held_by(stage, "web")
    swept(stage, Watch(stage), 30)
    assert stage.where("web") == {}
    assert (stage.vm("web").state, stage.vm("web").wanted) == (VmState.OFF, Wanted.OFF)
    assert "may still come up on n3" in stage.vm("web").state_reason


def test_what_holds_a_vm_is_told_also_when_its_host_is_silent_for_a_moment(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, refuse: Refuse
) -> None:
    silences = ["one", "two"]

    def put_back(work: Work) -> str:
        if silences:
            raise HostUnreachable(f"n1 does not answer, {silences.pop()}.")
        return ""

    monkeypatch.setattr(endings, "put_back", put_back)
    refuse("n3", "resume")
    refuse("n3", "destroy")
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    assert "The copy of web on n3 does not end." in ended(stage, order).outcome
    assert silences == []


def test_a_copy_that_cannot_be_removed_holds_the_vm(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, refuse: Refuse
) -> None:
    refuse("n3", "resume")
    refuse("n3", "destroy")
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    done = ended(stage, order)
    assert "The copy of web on n3 does not end." in done.outcome
    assert (list(stage.where("web")), held_by(stage, "web")) == (["n3"], {"n3"})


def test_a_definition_that_is_not_taken_back_ends_the_order_and_is_kept_here(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, refuse: Refuse
) -> None:
    Strike(stage, monkeypatch, "begin_start", 600.0)
    stage.faults.plan(stage.vm("idle").uuid, {"start_fails": 1})
    refuse("n1", "define")
    done = ended(stage, vms.start(actor=stage.actor, vm=stage.vm("idle")))
    assert done.state == OperationState.FAILED
    assert "n1 does not take its definition back, of which a copy is kept" in done.outcome
