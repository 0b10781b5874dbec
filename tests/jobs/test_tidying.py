"""What a node still knows when it returns: stale definitions go, nothing that may be in use is touched."""

from __future__ import annotations

import json

import pytest

from clustermgr.actions import clusters, standing, tidying, vms
from clustermgr.core.states import NodeState, OperationKind, OperationState, VmState
from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.registry import connect
from clustermgr.models import Event, Operation
from tests.jobs.conftest import Stage
from tests.jobs.test_stamps import joining, swept
from tests.jobs.test_watch import Watch


@pytest.fixture
def watch(stage: Stage) -> Watch:
    return Watch(stage)


def left_behind(stage: Stage, name: str, node: str) -> str:
    """A definition of a VM on a node that is not its owner, as a move leaves it whose end nobody saw."""
    vm = stage.vm(name)
    there = connect("lab", f"lab:{vm.owner.name}").read_config(vm.uuid)
    connect("lab", f"lab:{node}").define(there.definition)
    return vm.uuid


def known_on(stage: Stage, uuid: str) -> list[str]:
    return [copy.host for copy in stage.world.copies(uuid)]


def test_a_definition_left_behind_is_removed_from_the_node_that_returns(stage: Stage, watch: Watch) -> None:
    uuid = left_behind(stage, "web", "n2")
    stage.faults.power_off("n2")
    swept(stage, watch, 15)
    stage.faults.power_on("n2")
    seen = set()
    for _ in range(160):
        swept(stage, watch, 1)
        seen.add((stage.node("n2").state, tuple(known_on(stage, uuid))))
    assert (NodeState.JOINING, ("n1", "n2")) in seen
    assert (NodeState.UP, ("n1", "n2")) not in seen
    assert (stage.node("n2").state, known_on(stage, uuid)) == (NodeState.UP, ["n1"])
    assert Event.objects.get(code="stale_definition_removed").params["owner"] == "n1"
    assert stage.where("web") == {"n1": DomainState.RUNNING}


def test_a_source_that_was_silent_at_the_end_of_a_move_is_tidied_when_it_returns(stage: Stage) -> None:
    uuid = stage.vm("idle").uuid
    operation = vms.move(actor=stage.actor, vm=stage.vm("idle"), target=stage.node("n3"))
    stage.faults.cut("n1")
    connect("lab", "lab:n3").define(stage.world.copies(uuid)[0].saved)
    Operation.objects.filter(pk=operation.pk).update(
        step="tidy", memory={"was_running": False, "path": "", "saved": ""}
    )
    stage.run()
    assert stage.fresh(operation).state == OperationState.SUCCEEDED
    assert known_on(stage, uuid) == ["n1", "n3"]
    stage.faults.mend("n1")
    swept(stage, Watch(stage), 30)
    assert known_on(stage, uuid) == ["n3"]
    assert stage.vm("idle").state == VmState.OFF


def test_a_copy_with_a_process_is_never_removed(stage: Stage, watch: Watch) -> None:
    uuid = left_behind(stage, "idle", "n2")
    order = tidying.order(stage.vm("idle"), stage.node("n2"))
    assert order is not None
    connect("lab", "lab:n2").begin_start(uuid)
    stage.clock.advance(5)
    stage.run()
    assert stage.fresh(order).state == OperationState.FAILED
    assert known_on(stage, uuid) == ["n1", "n2"]
    assert Event.objects.get(code="stale_definition_kept").params["reason"] == "it has a process there."


def test_a_state_that_the_host_saved_is_never_removed(stage: Stage, watch: Watch) -> None:
    uuid = left_behind(stage, "idle", "n2")
    with stage.world.write() as tx:
        tx.set_copy("n2", uuid, state=DomainState.SAVED)
    swept(stage, watch, 30)
    assert known_on(stage, uuid) == ["n1", "n2"]
    assert "saved lies there" in Event.objects.get(code="stale_definition_kept").params["reason"]


def other(stage: Stage, name: str, node: str, stamp: str = "") -> str:
    """A definition with the UUID of a VM and other contents, which the cluster never wrote."""
    vm = stage.vm(name)
    there = json.loads(connect("lab", f"lab:{vm.owner.name}").read_config(vm.uuid).definition)
    theirs = {**there, "notes": "the real one", "stamp": stamp}
    connect("lab", f"lab:{node}").define(json.dumps(theirs))
    return vm.uuid


def test_a_definition_that_was_never_ours_is_left(stage: Stage, watch: Watch) -> None:
    uuid = other(stage, "idle", "n2")
    swept(stage, watch, 30)
    assert known_on(stage, uuid) == ["n1", "n2"]
    assert "neither stamped" in Event.objects.get(code="stale_definition_kept").params["reason"]


def test_an_outdated_definition_with_our_stamp_is_removed(stage: Stage, watch: Watch) -> None:
    uuid = other(stage, "idle", "n2", standing.identity(stage.cluster.pk).stamp(stage.vm("idle").uuid))
    swept(stage, watch, 30)
    assert known_on(stage, uuid) == ["n1"]


def test_nothing_is_changed_on_a_host_that_is_kept_out(stage: Stage, watch: Watch) -> None:
    node = joining(stage)
    uuid = left_behind(stage, "idle", "n4")
    with stage.world.write() as tx:
        tx.set_copy("n4", uuid, autostart=1)
    swept(stage, watch, 40)
    assert stage.node("n4").state == NodeState.JOINING
    assert known_on(stage, uuid) == ["n1", "n4"]
    assert connect("lab", "lab:n4").read_config(uuid).saved.autostart
    assert tidying.order(stage.vm("idle"), node) is None


def test_a_host_that_was_just_added_keeps_a_machine_of_its_own_with_a_known_uuid(
    stage: Stage, watch: Watch
) -> None:
    swept(stage, watch, 5)
    stage.world.node("n4")
    uuid = other(stage, "idle", "n4")
    clusters.add_node(actor=stage.actor, cluster=stage.cluster, name="n4", driver="lab", address="lab:n4")
    swept(stage, watch, 60)
    assert (stage.node("n4").state, known_on(stage, uuid)) == (NodeState.UP, ["n1", "n4"])


def tidied(stage: Stage) -> int:
    return Operation.objects.filter(kind=OperationKind.TIDY).count()


def test_what_was_kept_is_asked_about_again_only_when_it_looks_different(stage: Stage, watch: Watch) -> None:
    uuid = left_behind(stage, "idle", "n2")
    with stage.world.write() as tx:
        tx.set_copy("n2", uuid, state=DomainState.SAVED)
    swept(stage, watch, 600)
    assert tidied(stage) == 1
    watch.watcher.close()
    another = Watch(stage, "another")
    swept(stage, another, 130)
    assert tidied(stage) == 1
    with stage.world.write() as tx:
        tx.set_copy("n2", uuid, state=DomainState.OFF)
    swept(stage, another, 130)
    assert (tidied(stage), known_on(stage, uuid)) == (2, ["n1"])


def test_the_last_definition_is_kept(stage: Stage, watch: Watch) -> None:
    uuid = left_behind(stage, "idle", "n2")
    connect("lab", "lab:n1").undefine(uuid)
    swept(stage, watch, 30)
    assert known_on(stage, uuid) == ["n2"]


def test_nothing_is_removed_while_the_owner_is_silent(stage: Stage, watch: Watch) -> None:
    uuid = left_behind(stage, "web", "n2")
    stage.faults.cut("n1")
    swept(stage, watch, 40)
    assert known_on(stage, uuid) == ["n1", "n2"]
    assert set(Operation.objects.values_list("kind", "state")) <= {
        (OperationKind.TIDY, OperationState.FAILED)
    }


def test_nothing_is_removed_while_an_order_holds_the_machine(stage: Stage, watch: Watch) -> None:
    left_behind(stage, "web", "n2")
    vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    assert tidying.order(stage.vm("web"), stage.node("n2")) is None


def test_nothing_is_removed_in_a_cluster_that_stands_down(stage: Stage, watch: Watch) -> None:
    uuid = left_behind(stage, "web", "n2")
    standing.stand_down(actor=stage.actor, cluster=stage.cluster, reason="A test.")
    swept(stage, watch, 30)
    assert known_on(stage, uuid) == ["n1", "n2"]
    assert tidying.order(stage.vm("web"), stage.node("n2")) is None


def test_a_machine_that_would_start_with_its_host_does_not_any_more(stage: Stage, watch: Watch) -> None:
    uuid = stage.vm("db").uuid
    with stage.world.write() as tx:
        tx.set_copy("n1", uuid, autostart=1)
    swept(stage, watch, 75)
    assert not connect("lab", "lab:n1").read_config(uuid).saved.autostart
    assert Event.objects.get(code="autostart_forbidden").vm.name == "db"
    assert not stage.vm("db").settings["autostart"]
