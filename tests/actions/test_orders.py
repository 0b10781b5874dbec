"""Orders that must be refused: a clear sentence, an audit row, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clustermgr.access import Actor
from clustermgr.actions import operations, vms
from clustermgr.core.states import NodeState, OperationState, Role, VmState
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Operation
from tests import worlds

pytestmark = pytest.mark.django_db
ANA = Actor(name="ana", role=Role.ADMINISTRATOR, origin="test")
OLI = Actor(name="oli", role=Role.OPERATOR, origin="test")
VIC = Actor(name="vic", role=Role.VIEWER, origin="test")
NOBODY = Actor(name="otto", role=None, origin="test")


@pytest.fixture
def cast() -> dict[str, Any]:
    cluster = worlds.cluster("c1")
    worlds.network(cluster)
    nodes = [worlds.node(cluster, f"hv-0{number}") for number in (1, 2, 3, 4)]
    volume = worlds.volume(cluster)
    nodes[3].state = NodeState.DOWN
    nodes[3].save()
    return {
        "nodes": nodes,
        "web": worlds.vm("web01", on=nodes[0], volume=volume),
        "off": worlds.vm("old", on=nodes[0], volume=volume, state=VmState.OFF),
        "lost": worlds.vm("lost", on=nodes[3], volume=volume, state=VmState.UNMONITORED),
    }


REFUSALS: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    (
        "source down",
        lambda c: vms.live_migrate(actor=ANA, vm=c["lost"], target=c["nodes"][1]),
        "hv-04 is down; a planned move needs a running source.",
    ),
    (
        "quick, source down",
        lambda c: vms.quick_migrate(actor=ANA, vm=c["lost"], target=c["nodes"][1]),
        "hv-04 is down; a planned move needs a running source.",
    ),
    (
        "where it is",
        lambda c: vms.live_migrate(actor=ANA, vm=c["web"], target=c["nodes"][0]),
        "web01 is already on hv-01. Choose another node.",
    ),
    (
        "target down",
        lambda c: vms.live_migrate(actor=ANA, vm=c["web"], target=c["nodes"][3]),
        "hv-04 is down; choose a node that is up.",
    ),
    (
        "not running",
        lambda c: vms.live_migrate(actor=ANA, vm=c["off"], target=c["nodes"][1]),
        "old is off; live migration needs it running.",
    ),
    ("start running", lambda c: vms.start(actor=ANA, vm=c["web"]), "web01 is running; start needs it off"),
    (
        "shut down off",
        lambda c: vms.shut_down(actor=ANA, vm=c["off"]),
        "old is off; shut down needs it running",
    ),
    (
        "start on a silent node",
        lambda c: vms.start(actor=ANA, vm=c["lost"]),
        "hv-04 is down; it takes orders",
    ),
]


@pytest.mark.parametrize(("order", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refused_with_a_sentence(cast: dict[str, Any], order: Callable[..., Any], words: str) -> None:
    with pytest.raises(ActionRefused) as refused:
        order(cast)
    assert words in str(refused.value)
    assert not Operation.objects.exists()
    entry = AuditEntry.objects.get()
    assert (entry.accepted, words in entry.answer) == (False, True)


@pytest.mark.parametrize("actor", [VIC, NOBODY])
def test_who_may_not_is_told_which_role_it_needs(cast: dict[str, Any], actor: Actor) -> None:
    with pytest.raises(ActionRefused, match="this needs the role operator") as refused:
        vms.live_migrate(actor=actor, vm=cast["web"], target=cast["nodes"][1])
    assert refused.value.status == 403
    assert not Operation.objects.exists()


def test_an_operator_moves_but_does_not_change_settings(cast: dict[str, Any]) -> None:
    vms.live_migrate(actor=OLI, vm=cast["web"], target=cast["nodes"][1])
    with pytest.raises(ActionRefused, match="needs the role administrator"):
        vms.change_settings(actor=OLI, vm=cast["web"], version=1, changes={"vcpus": 4})


def test_a_node_of_another_cluster_is_no_target(cast: dict[str, Any]) -> None:
    stranger = worlds.node(worlds.cluster("c2"), "hv-09")
    with pytest.raises(ActionRefused, match="There is no node called “hv-09” in C1"):
        vms.live_migrate(actor=ANA, vm=cast["web"], target=stranger)


def test_without_a_target_the_best_node_is_chosen(cast: dict[str, Any]) -> None:
    order = vms.live_migrate(actor=ANA, vm=cast["web"])
    assert order.target is not None
    assert order.target.name in {"hv-02", "hv-03"}


def test_a_waiting_order_is_cancelled_at_once(cast: dict[str, Any]) -> None:
    order = vms.live_migrate(actor=ANA, vm=cast["web"], target=cast["nodes"][1])
    operations.cancel(actor=ANA, operation=order)
    assert order.state == OperationState.CANCELLED
    with pytest.raises(ActionRefused, match="ended before it could be cancelled: cancelled"):
        operations.cancel(actor=ANA, operation=order)


def test_past_the_switch_over_a_cancel_is_refused(cast: dict[str, Any]) -> None:
    order = worlds.operation(cast["web"], target=cast["nodes"][1], phase="switching")
    with pytest.raises(ActionRefused, match="web01 is past its switch-over"):
        operations.cancel(actor=ANA, operation=order)
    order.refresh_from_db()
    assert order.state == OperationState.RUNNING


def test_an_accepted_order_is_audited_with_who_and_where(cast: dict[str, Any]) -> None:
    vms.live_migrate(actor=OLI, vm=cast["web"], target=cast["nodes"][1])
    entry = AuditEntry.objects.get()
    assert (entry.username, entry.origin, entry.verb, entry.subject) == (
        "oli",
        "test",
        "live_migrate",
        "web01",
    )
    assert entry.params == {"source": "hv-01", "target": "hv-02"}
