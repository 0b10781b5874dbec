"""A role leaves the cluster: its VM stays on its host without the stamp, and a lost host can follow."""

from __future__ import annotations

from typing import Any

import pytest

from clustermgr.actions import clusters, nodes, removal, standing, vms
from clustermgr.core.states import NodeState, OperationState, VmState
from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.drivers.registry import connect
from clustermgr.errors import ActionRefused
from clustermgr.jobs import readings
from clustermgr.models import AuditEntry, Drift, Event, Holder, Node, Operation, OperationTally, Vm
from clustermgr.queries.rows import operation_rows
from tests.jobs import killing
from tests.jobs.conftest import Stage
from tests.jobs.joining import join_new_vms
from tests.jobs.test_stamps import swept
from tests.jobs.test_watch import Watch


@pytest.fixture
def watch(stage: Stage) -> Watch:
    return Watch(stage)


def ordered(stage: Stage, name: str) -> Operation:
    return removal.remove_role(actor=stage.actor, vm=stage.vm(name), typed=name)


def removed(stage: Stage, name: str) -> Operation:
    order = ordered(stage, name)
    stage.run()
    return stage.fresh(order)


def names() -> set[str]:
    return set(Vm.objects.values_list("name", flat=True))


def marks(stage: Stage, node: str, uuid: str) -> tuple[str, str | None]:
    read = connect("lab", f"lab:{node}").read_config(uuid)
    return read.stamp, read.running_stamp


def test_it_runs_on_where_it_is_without_the_stamp(stage: Stage, watch: Watch) -> None:
    swept(stage, watch)
    uuid = stage.vm("web").uuid
    assert all(marks(stage, "n1", uuid))
    order = removed(stage, "web")
    assert order.state == OperationState.SUCCEEDED
    assert order.outcome == "web was removed from the cluster; it stays on n1 as it is."
    assert marks(stage, "n1", uuid) == ("", "")
    assert stage.world.processes(uuid) == {"n1": DomainState.RUNNING}
    assert names() == {"db", "app", "idle"}
    assert not Holder.objects.filter(vm__uuid=uuid).exists()


def test_one_that_is_off_stays_defined(stage: Stage, watch: Watch) -> None:
    swept(stage, watch)
    uuid = stage.vm("idle").uuid
    removed(stage, "idle")
    assert [copy.host for copy in stage.world.copies(uuid)] == ["n1"]
    assert marks(stage, "n1", uuid) == ("", None)


def test_history_keeps_its_name(stage: Stage) -> None:
    moved = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    stage.run()
    order = removed(stage, "web")
    before, now = operation_rows([moved.pk, order.pk])
    assert {(row.vm_id, row.vm_name) for row in (before, now)} == {(None, "web")}
    event = Event.objects.get(code="role_removed")
    assert (event.vm, event.params["vm"], event.params["node"]) == (None, "web", "n3")
    assert Event.objects.filter(code="move_done", vm=None).exists()
    entry = AuditEntry.objects.get(verb="remove_role")
    assert (entry.subject, entry.accepted, entry.operation) == ("web", True, order)
    assert OperationTally.objects.filter(kind="removal", outcome="succeeded").exists()


def test_it_is_not_adopted_again(stage: Stage, watch: Watch) -> None:
    swept(stage, watch, 5)
    uuid = stage.vm("web").uuid
    removed(stage, "web")
    swept(stage, watch, 70)
    stage.faults.cut("n1")
    swept(stage, watch, 15)
    stage.faults.mend("n1")
    swept(stage, watch, 70)
    assert stage.node("n1").state == NodeState.UP
    watch.watcher.close()
    swept(stage, Watch(stage, "another watch"), 70)
    assert names() == {"db", "app", "idle"}
    assert marks(stage, "n1", uuid) == ("", "")


def test_a_whole_reading_that_came_late_adopts_nothing(stage: Stage, watch: Watch) -> None:
    late = readings.inventory(stage.node("n1").pk, connect("lab", "lab:n1"), configs=True)
    removed(stage, "web")
    watch.watcher.inbox.put(late)
    watch.seconds(3)
    assert names() == {"db", "app", "idle"}


def test_who_asks_for_it_takes_it_in_again(stage: Stage) -> None:
    removed(stage, "web")
    found = readings.inventory(stage.node("n1").pk, connect("lab", "lab:n1"), configs=True)
    clusters.join(node=stage.node("n1"), inventory=found)
    assert stage.vm("web").state == VmState.RUNNING


def test_what_happens_to_it_later_is_nobodys_business(stage: Stage, watch: Watch) -> None:
    swept(stage, watch, 5)
    uuid = stage.vm("web").uuid
    removed(stage, "web")
    stage.faults.crash(uuid)
    swept(stage, watch, 60)
    assert stage.world.processes(uuid) == {}
    assert not Event.objects.filter(code="vm_failed").exists()


def test_a_lost_host_goes_when_its_roles_were_removed(stage: Stage, watch: Watch) -> None:
    stage.faults.power_off("n1")
    swept(stage, watch, 15)
    lost = stage.node("n1")
    with pytest.raises(ActionRefused, match=r"n1 owns db, idle, web and is down.*Remove them"):
        nodes.evict(actor=stage.actor, node=lost, typed="n1")
    for name in ("web", "db", "idle"):
        order = removed(stage, name)
        assert order.state == OperationState.SUCCEEDED
        assert "may run on n1, and keeps the stamp: n1 is down." in order.outcome
    assert Event.objects.filter(code="role_removed_stamped", level="warning").count() == 3
    nodes.evict(actor=stage.actor, node=lost, typed="n1")
    swept(stage, watch, 30)
    assert set(Node.objects.values_list("name", flat=True)) == {"n2", "n3"}
    assert names() == {"app"}
    assert {row.source for row in operation_rows(Operation.objects.values_list("pk", flat=True))} == {"n1"}


def test_a_host_that_just_fell_silent_is_not_waited_for_long(stage: Stage) -> None:
    stage.faults.cut("n1")
    began = stage.clock.now()
    order = removed(stage, "web")
    assert order.state == OperationState.SUCCEEDED
    assert "keeps the stamp" in order.outcome
    assert (stage.clock.now() - began).total_seconds() < 60


def test_a_short_silence_is_waited_for(stage: Stage, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    swept(stage, watch)
    uuid = stage.vm("web").uuid
    ordered(stage, "web")
    stage.faults.cut("n1")
    monkeypatch.setattr(stage.clock, "sleep", lambda seconds: stage.faults.mend("n1"))
    stage.run()
    assert marks(stage, "n1", uuid) == ("", "")


def test_anothers_stamp_is_left(stage: Stage) -> None:
    uuid = stage.vm("web").uuid
    OnHost(stage.world, "n1").stamp(uuid, f"manager=somebody epoch=7 vm={uuid}")
    order = removed(stage, "web")
    assert "n1 may be managed from elsewhere." in order.outcome
    assert marks(stage, "n1", uuid)[0].startswith("manager=somebody")


def test_nothing_is_removed_while_an_order_holds_it(stage: Stage) -> None:
    vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    with pytest.raises(
        ActionRefused, match="held by another order: live migration, requested by ana"
    ) as held:
        ordered(stage, "web")
    assert held.value.status == 423
    assert not AuditEntry.objects.get(verb="remove_role").accepted


def test_a_saved_one_is_started_first_unless_its_host_is_lost(stage: Stage, watch: Watch) -> None:
    vms.save(actor=stage.actor, vm=stage.vm("web"))
    stage.run()
    with pytest.raises(ActionRefused, match=r"web is saved. Its memory lies in .*Start web first"):
        ordered(stage, "web")
    stage.faults.power_off("n1")
    swept(stage, watch, 15)
    assert removed(stage, "web").state == OperationState.SUCCEEDED


def test_nothing_is_removed_from_a_cluster_that_stands_down(stage: Stage) -> None:
    standing.stand_down(actor=stage.actor, cluster=stage.cluster, reason="A test.")
    with pytest.raises(ActionRefused, match="takes no orders"):
        ordered(stage, "web")


@pytest.mark.parametrize("strike", [killing.kill, killing.no_answer, killing.lost])
def test_struck_at_any_act_it_ends_without_the_stamp_and_runs_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, strike: Any
) -> None:
    acts = killing.Acts(strike, commits=strike is killing.kill).install(monkeypatch)
    for at in range(5):
        uuid = stage.world.vm(f"vm-{at}", on="n1", memory_mib=256)
        join_new_vms(stage)
        OnHost(stage.world, "n1").stamp(uuid, standing.identity(stage.cluster.pk).stamp(uuid))
        order = ordered(stage, f"vm-{at}")
        acts.arm(at)
        killing.killed_at(stage, order.pk)
        struck, acts.at = acts.struck, None
        killing.take_over(stage)
        assert stage.fresh(order).state == OperationState.SUCCEEDED
        assert names() & {f"vm-{at}"} == set()
        assert (marks(stage, "n1", uuid), stage.world.processes(uuid)) == (("", ""), {"n1": "running"})
        if not struck:
            break
    assert at > 0
    assert not struck


def test_an_order_for_one_that_left_meanwhile_is_refused_in_words(stage: Stage) -> None:
    before = stage.vm("web")
    removed(stage, "web")
    with pytest.raises(ActionRefused):
        vms.shut_down(actor=stage.actor, vm=before)
    with pytest.raises(ActionRefused, match="web left the cluster meanwhile"):
        vms.change_settings(
            actor=stage.actor, vm=before, version=1, changes={"priority": "low"}, base={"priority": "medium"}
        )
    assert not Drift.objects.exists()
