"""Another host answers at a node's address: for whoever works there that node is silent (safety.md 1.2)."""

from __future__ import annotations

import pytest

from clustermgr.actions import vms
from clustermgr.core.states import OperationState
from clustermgr.drivers.contract import DomainState, HostUnreachable
from clustermgr.drivers.lab.driver import LabHost
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.drivers.registry import connect
from clustermgr.jobs.hosts import connect_to
from clustermgr.models import Holder, Node
from tests.jobs import killing
from tests.jobs.conftest import Stage


def answered_by_another(stage: Stage, name: str) -> None:
    """The way to this node is cut, and its address now leads to a host that knows none of our VMs."""
    stage.faults.cut(name)
    stage.world.node("n9")
    Node.objects.filter(name=name).update(address="lab:n9")


def test_what_another_host_says_rules_out_no_copy(stage: Stage) -> None:
    stage.faults.image_lock("csv1", locks=False)
    idle = stage.vm("idle")
    connect("lab", "lab:n2").define(connect("lab", "lab:n1").read_config(idle.uuid).definition)
    OnHost(stage.world, "n2").start(idle.uuid)
    stage.clock.advance(10)
    Holder.objects.create(vm=idle, node=stage.node("n2"), since=stage.clock.now(), because="start")
    answered_by_another(stage, "n2")
    order = vms.start(actor=stage.actor, vm=idle)
    killing.carry(stage, order.pk, seconds=60)
    assert stage.where("idle") == {"n2": DomainState.RUNNING}
    assert "may still have a copy on n2" in stage.fresh(order).wait_reason


def test_nothing_is_ordered_of_another_host(stage: Stage) -> None:
    order = vms.live_migrate(actor=stage.actor, vm=stage.vm("web"), target=stage.node("n3"))
    answered_by_another(stage, "n3")
    stage.run()
    assert stage.fresh(order).state == OperationState.FAILED
    assert stage.where("web") == {"n1": DomainState.RUNNING}


def test_it_is_named_and_its_connection_is_given_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(LabHost, "close", lambda host: closed.append(host.name))
    answered_by_another(stage, "n2")
    with pytest.raises(HostUnreachable, match=r"Another host \(.+\) answers at lab:n9\."):
        connect_to(stage.node("n2"))
    assert closed == ["n9"]


def test_a_host_whose_uuid_is_not_known_yet_is_taken_as_it_is(stage: Stage) -> None:
    answered_by_another(stage, "n2")
    Node.objects.filter(name="n2").update(host_uuid="")
    assert connect_to(stage.node("n2")).sights() == []
