"""A database that was put back knows nothing of where machines went since: no second copy is ever started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from clustermgr.actions import nodes, standing, vms
from clustermgr.core.states import NodeState, OperationState, VmState
from clustermgr.drivers.contract import DomainState
from clustermgr.jobs.engine import decide
from clustermgr.models import Holder, Node, Operation, Vm
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.test_recovery import crash
from tests.jobs.test_stamps import cluster, swept
from tests.jobs.test_watch import Watch
from tests.twins import second_manager

RUNS_ON_N3 = {"n3": DomainState.RUNNING}


@pytest.fixture
def gone_over(stage: Stage, tmp_path: Path) -> Iterator[Stage]:
    """The backup has `web` failed on n1; since then it failed over to n3. The restored database is at work,
    and the image lock would not help."""
    stage.faults.image_lock("csv1", locks=False)
    crash(stage, "web")
    call_command("backup", str(tmp_path / "file"))
    Vm.objects.filter(name="web").update(possible_owners=[stage.node("n1").pk, stage.node("n3").pk])
    stage.faults.plan(stage.vm("web").uuid, {"start_fails_on": {"n1": 1}})
    decide(stage.cluster.pk)
    stage.run()
    assert stage.where("web") == RUNS_ON_N3
    with second_manager(tmp_path / "twin.sqlite3"):
        call_command("restore", str(tmp_path / "file"))
        yield stage


def taken_over(stage: Stage) -> None:
    standing.take_over(actor=stage.actor, cluster=cluster(stage), confirm="Test")
    stage.run()


def days(stage: Stage, watch: Watch, seconds: int) -> None:
    """The watch looks, the engine decides every five seconds, and workers work."""
    for second in range(seconds):
        watch.seconds(1)
        if second % 5 == 0:
            decide(stage.cluster.pk)
        stage.run()


def marked(stage: Stage) -> set[str]:
    return set(Node.objects.filter(restored_at__isnull=False).values_list("name", flat=True))


def test_at_first_nothing_is_known_of_nodes_and_machines(gone_over: Stage) -> None:
    assert marked(gone_over) == {"n1", "n2", "n3"}
    assert set(Node.objects.values_list("state", flat=True)) == {NodeState.JOINING}
    assert set(Vm.objects.values_list("state", flat=True)) == {VmState.UNMONITORED}


def test_a_vm_that_failed_over_since_is_not_started_again_while_its_node_is_silent(gone_over: Stage) -> None:
    stage = gone_over
    stage.faults.cut("n3")
    watch = Watch(stage, "second")
    swept(stage, watch, 30)
    taken_over(stage)
    days(stage, watch, 30)
    assert (stage.node("n3").state, marked(stage)) == (NodeState.DOWN, {"n3"})
    assert stage.where("web") == RUNS_ON_N3
    assert not Operation.objects.filter(state=OperationState.QUEUED).exists()
    stage.faults.mend("n3")
    days(stage, watch, 20)
    assert (stage.vm("web").owner.name, stage.vm("web").state) == ("n3", VmState.RUNNING)
    assert (stage.where("web"), marked(stage), stage.world.double_runs()) == (RUNS_ON_N3, set(), [])


def test_what_a_node_showed_stays_held_there_when_it_falls_silent_again(gone_over: Stage) -> None:
    stage = gone_over
    watch = Watch(stage, "second")
    stage.faults.cut("n1")  # so that nobody can tell yet that `web` moved
    swept(stage, watch, 15)
    assert marked(stage) == {"n1"}
    assert Holder.objects.filter(vm__name="web", node__name="n3").exists()


def test_a_start_waits_for_the_node_that_nobody_has_looked_at(gone_over: Stage) -> None:
    stage = gone_over
    stage.faults.cut("n3")
    swept(stage, Watch(stage, "second"), 15)
    taken_over(stage)
    Vm.objects.filter(name="web").update(state=VmState.OFF)
    order = vms.start(actor=stage.actor, vm=stage.vm("web"))
    killing.carry(stage, order.pk, seconds=5)
    assert "n3 may run web" in stage.fresh(order).wait_reason
    assert stage.where("web") == RUNS_ON_N3


def test_a_machine_is_not_taken_down_for_a_move_that_could_not_bring_it_up(gone_over: Stage) -> None:
    stage = gone_over
    stage.faults.cut("n3")
    swept(stage, Watch(stage, "second"), 15)
    taken_over(stage)
    order = vms.quick_migrate(actor=stage.actor, vm=stage.vm("db"), target=stage.node("n2"))
    stage.run()
    assert "n3 may run db" in stage.fresh(order).outcome
    assert stage.where("db") == {"n1": DomainState.RUNNING}


def test_evicting_the_lost_node_is_the_word_that_it_runs_nothing(gone_over: Stage) -> None:
    stage = gone_over
    stage.faults.power_off("n3")
    watch = Watch(stage, "second")
    swept(stage, watch, 15)
    taken_over(stage)
    days(stage, watch, 10)
    assert stage.where("web") == {}
    nodes.evict(actor=stage.actor, node=stage.node("n3"), typed="n3")
    days(stage, watch, 15)
    assert stage.where("web") == {"n1": DomainState.RUNNING}


def test_with_every_node_seen_what_failed_is_started(gone_over: Stage) -> None:
    """The failed copy is gone for good here: the engine goes on once every node was looked at."""
    stage = gone_over
    stage.faults.crash(stage.vm("web").uuid, node="n3")
    watch = Watch(stage, "second")
    swept(stage, watch, 15)
    taken_over(stage)
    days(stage, watch, 15)
    assert list(stage.where("web").values()) == [DomainState.RUNNING]
