"""Machines that another manager stamped: on a member they stand the cluster down, whoever's they are."""

from __future__ import annotations

import pytest

from clustermgr.actions import clusters, standing
from clustermgr.core.states import NodeState
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.drivers.registry import connect
from clustermgr.errors import ActionRefused
from clustermgr.jobs import readings
from clustermgr.models import Event, Vm
from tests.jobs.conftest import Stage
from tests.jobs.test_stamps import cluster, joining, swept
from tests.jobs.test_tidying import left_behind
from tests.jobs.test_watch import Watch


@pytest.fixture
def watch(stage: Stage) -> Watch:
    watch = Watch(stage)
    swept(stage, watch, 5)
    return watch


def theirs(stage: Stage, node: str, uuid: str = "") -> str:
    """A machine of another manager on a host, or this one with its stamp."""
    uuid = uuid or stage.world.vm("theirs", on=node)
    OnHost(stage.world, node).stamp(uuid, f"manager=somebody epoch=2 vm={uuid}")
    return uuid


def stood_down_by_itself(stage: Stage) -> bool:
    found = cluster(stage)
    return found.stood_down_at is not None and found.stood_down_by == ""


def test_on_a_member_it_stands_the_cluster_down(stage: Stage, watch: Watch) -> None:
    theirs(stage, "n3")
    swept(stage, watch, 10)
    assert stood_down_by_itself(stage)
    assert cluster(stage).rivals == {"somebody": 2}
    event = Event.objects.get(code="second_manager", level="critical")
    assert "theirs on n3 carries the stamp of another manager" in event.params["reason"]
    assert not Vm.objects.filter(name="theirs").exists()


def test_a_machine_that_is_stamped_later_is_found_within_minutes(stage: Stage, watch: Watch) -> None:
    uuid = stage.world.vm("theirs", on="n3")
    swept(stage, watch, 10)
    assert not stood_down_by_itself(stage)
    theirs(stage, "n3", uuid)
    swept(stage, watch, 310)
    assert stood_down_by_itself(stage)


def test_a_copy_of_one_of_ours_on_another_member_counts_too(stage: Stage, watch: Watch) -> None:
    theirs(stage, "n3", left_behind(stage, "idle", "n3"))
    swept(stage, watch, 10)
    assert stood_down_by_itself(stage)
    assert "idle on n3" in cluster(stage).stood_down_reason


def test_machines_of_nobody_take_no_version(stage: Stage, watch: Watch) -> None:
    for number in range(5):
        stage.world.vm(f"stray-{number}", on="n3")
    swept(stage, watch, 70)
    version = cluster(stage).version
    swept(stage, watch, 400)
    assert cluster(stage).version == version
    assert cluster(stage).stood_down_at is None


def test_one_of_ours_stamped_by_another_on_a_host_that_joins_stands_us_down(
    stage: Stage, watch: Watch
) -> None:
    joining(stage)
    theirs(stage, "n4", left_behind(stage, "idle", "n4"))
    swept(stage, watch, 10)
    assert stood_down_by_itself(stage)
    assert stage.node("n4").state == NodeState.JOINING


def test_a_job_that_reads_such_a_host_stands_us_down_as_well(stage: Stage) -> None:
    node = joining(stage)
    theirs(stage, "n4", left_behind(stage, "idle", "n4"))
    found = readings.inventory(node.pk, connect("lab", "lab:n4"), configs=True)
    with pytest.raises(ActionRefused, match="managed from elsewhere"):
        clusters.join(node=node, inventory=found)
    assert stood_down_by_itself(stage)
    assert "idle on n4" in cluster(stage).stood_down_reason


def test_a_host_that_joins_with_machines_of_its_own_is_only_kept_out(stage: Stage, watch: Watch) -> None:
    joining(stage)
    swept(stage, watch, 40)
    assert cluster(stage).stood_down_at is None
    standing.take_over(actor=stage.actor, cluster=stage.cluster, confirm="Test")
    swept(stage, watch)
    assert stage.node("n4").state == NodeState.UP
    assert cluster(stage).stood_down_at is None
