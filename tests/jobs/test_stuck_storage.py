"""A pool on a dead server: the watch of its host goes on, and asks for the storage ever less often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clustermgr.actions import clusters
from clustermgr.core.states import NodeState, VmState
from clustermgr.drivers.contract import Busy, DriverError, HostUnreachable
from clustermgr.drivers.lab.driver import LabHost
from clustermgr.models import Event, VolumeAccess
from tests.jobs.conftest import Stage
from tests.jobs.test_stamps import swept
from tests.jobs.test_watch import Watch

LATE = "The host did not list its volumes within 4 s."


class DeadServer:
    """The storage of one simulated host does not answer, while the host does."""

    def __init__(self, stage: Stage, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self.closed = 0, 0
        self.error: DriverError | None = HostUnreachable(LATE)
        real, close = LabHost.volumes, LabHost.close

        def volumes(lab: Any) -> Any:
            if lab.name != host or self.error is None:
                return real(lab)
            self.calls += 1
            raise self.error

        def closing(lab: Any) -> None:
            self.closed += lab.name == host
            close(lab)

        monkeypatch.setattr(LabHost, "volumes", volumes)
        monkeypatch.setattr(LabHost, "close", closing)


@pytest.fixture
def dead(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], DeadServer]:
    return lambda host: DeadServer(stage, host, monkeypatch)


def reached(stage: Stage, node: str) -> bool:
    return VolumeAccess.objects.get(node__name=node).reachable


def test_its_volumes_count_as_lost_and_its_machines_are_watched_on(
    stage: Stage, dead: Callable[[str], DeadServer]
) -> None:
    watch = Watch(stage)
    swept(stage, watch, 20)
    server = dead("n1")
    swept(stage, watch, 20)
    assert not reached(stage, "n1")
    assert reached(stage, "n2")
    assert Event.objects.get(code="storage_silent").params["reason"] == LATE
    stage.faults.crash(stage.vm("web").uuid)
    swept(stage, watch, 15)
    assert (stage.node("n1").state, stage.vm("web").state) == (NodeState.UP, VmState.RUNNING)
    assert Event.objects.filter(code="vm_restarted").exists()
    server.error = None
    swept(stage, watch, 70)
    assert reached(stage, "n1")


def test_it_is_asked_ever_less_often_and_the_connection_stays(
    stage: Stage, dead: Callable[[str], DeadServer]
) -> None:
    watch = Watch(stage)
    watch.seconds(20)
    server = dead("n1")
    watch.seconds(3600)
    assert 8 <= server.calls <= 12  # after 15, 30, 60, 120, 240, 480 and then each 600 s
    assert server.closed == 0
    assert Event.objects.filter(code="storage_silent").count() == 1


def test_while_an_earlier_call_is_stuck_it_costs_nothing_to_ask_again(
    stage: Stage, dead: Callable[[str], DeadServer]
) -> None:
    watch = Watch(stage)
    server = dead("n1")
    watch.seconds(2)
    server.error = Busy("An earlier look at this host's storage has not come back yet.")
    watch.seconds(600)
    server.error = None
    watch.seconds(16)
    assert reached(stage, "n1")


def test_a_host_whose_storage_is_dead_joins_when_it_answers(
    stage: Stage, dead: Callable[[str], DeadServer]
) -> None:
    stage.world.node("n4")
    server = dead("n4")
    clusters.add_node(actor=stage.actor, cluster=stage.cluster, name="n4", driver="lab", address="lab:n4")
    watch = Watch(stage)
    swept(stage, watch, 120)
    assert (stage.node("n4").state, server.closed) == (NodeState.JOINING, 0)
    assert server.calls < 6
    server.error = None
    swept(stage, watch, 130)
    assert stage.node("n4").state == NodeState.UP


def test_a_host_that_is_gone_altogether_is_down_as_before(
    stage: Stage, dead: Callable[[str], DeadServer]
) -> None:
    watch = Watch(stage)
    dead("n1")
    watch.seconds(5)
    stage.faults.power_off("n1")
    watch.seconds(15)
    assert stage.node("n1").state == NodeState.DOWN
