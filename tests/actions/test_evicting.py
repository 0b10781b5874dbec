"""A node leaves: not while it owns, may hold, is at work or has a disk that others need; history stays."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clustermgr.access import Actor
from clustermgr.actions import nodes
from clustermgr.actions.observations import Observer
from clustermgr.actions.operations import give
from clustermgr.core.health import Word
from clustermgr.core.readings import Load, Look, VolumeSeen, VolumesSeen
from clustermgr.core.states import NodeState, OperationKind, OperationState, Role, VmState, VolumeKind
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Event, Holder, Network, Node, Operation, Vm, Volume
from clustermgr.queries.rows import operation_rows
from tests import worlds
from tests.fakes import VirtualClock

pytestmark = pytest.mark.django_db(transaction=True)
ANA = Actor(name="ana", role=Role.ADMINISTRATOR, origin="test")


@pytest.fixture
def hall(clock: VirtualClock) -> SimpleNamespace:
    """hv-01 owns web01; hv-02 owns, holds and does nothing."""
    c1 = worlds.cluster("c1")
    one, two = worlds.node(c1, "hv-01"), worlds.node(c1, "hv-02")
    return SimpleNamespace(c1=c1, one=one, two=two, web01=worlds.vm("web01", on=one), clock=clock)


def evict(node: Node, typed: str = "") -> None:
    nodes.evict(actor=ANA, node=node, typed=typed or node.name)


def test_a_node_that_is_free_leaves_and_the_events_name_it(hall: SimpleNamespace) -> None:
    evict(hall.two)
    assert list(Node.objects.values_list("name", flat=True)) == ["hv-01"]
    event = Event.objects.get(code="node_evicted")
    assert (event.params["node"], event.actor, event.node) == ("hv-02", "ana", None)
    assert AuditEntry.objects.get(verb="evict_node").accepted


@pytest.mark.parametrize("typed", ["hv-01", "HV-02", "x"])
def test_its_name_is_typed(hall: SimpleNamespace, typed: str) -> None:
    with pytest.raises(ActionRefused, match="Type the node's name, hv-02") as refusal:
        evict(hall.two, typed)
    assert (refusal.value.status, Node.objects.count()) == (422, 2)


def test_a_node_with_roles_stays(hall: SimpleNamespace) -> None:
    with pytest.raises(ActionRefused, match="hv-01 owns web01"):
        evict(hall.one)
    assert not AuditEntry.objects.get(verb="evict_node").accepted


def test_a_possible_holder_stays(hall: SimpleNamespace) -> None:
    Holder.objects.create(vm=hall.web01, node=hall.two, since=hall.clock.now(), because="migration")
    Node.objects.filter(pk=hall.two.pk).update(state=NodeState.DOWN)
    with pytest.raises(ActionRefused, match="hv-02 is down and may still have a copy of web01"):
        evict(hall.two)


@pytest.mark.parametrize("end", ["source", "target"])
def test_a_node_at_work_stays(hall: SimpleNamespace, end: str) -> None:
    ends = {"source": hall.one, "target": hall.one, end: hall.two}
    worlds.operation(hall.web01, **ends, state=OperationState.QUEUED)
    with pytest.raises(ActionRefused, match="“Live migration” of web01, requested by ana"):
        evict(hall.two)


def test_a_cluster_disk_that_is_online_stays_with_its_node(hall: SimpleNamespace) -> None:
    worlds.volume(hall.c1, "disk1", VolumeKind.DISK, owner=hall.two)
    with pytest.raises(ActionRefused, match="hv-02 has the cluster disk disk1 online"):
        evict(hall.two)


def test_a_pool_of_that_host_alone_goes_with_it(hall: SimpleNamespace) -> None:
    mine = Volume.objects.create(cluster=hall.c1, name="default", kind=VolumeKind.DISK, owner=hall.two)
    worlds.see(hall.two, mine)
    shared = worlds.volume(hall.c1, "csv1")
    worlds.network(hall.c1, "prod")
    Network.objects.create(cluster=hall.c1, name="lonely").nodes.add(hall.two)
    evict(hall.two)
    assert list(Volume.objects.all()) == [shared]
    assert list(Network.objects.values_list("name", flat=True)) == ["prod"]


def test_a_node_that_is_down_and_free_leaves_and_so_does_the_last(hall: SimpleNamespace) -> None:
    Vm.objects.all().delete()
    Node.objects.filter(pk=hall.two.pk).update(state=NodeState.DOWN)
    for node in (hall.two, hall.one):
        evict(node)
    assert not Node.objects.exists()


def test_settled_tasks_keep_the_names_of_their_nodes(hall: SimpleNamespace) -> None:
    done = {"state": OperationState.SUCCEEDED, "phase": "done"}
    task = worlds.operation(hall.web01, source=hall.one, target=hall.two, **done)
    evict(hall.two)
    assert Operation.objects.get(pk=task.pk).target is None
    row = operation_rows([task.pk])[0]
    assert (row.source, row.target, row.moves) == ("hv-01", "hv-02", True)


def test_owners_are_forgotten_but_never_widened(hall: SimpleNamespace) -> None:
    one, two = hall.one.pk, hall.two.pk
    only, both = worlds.vm("only", on=hall.one), worlds.vm("both", on=hall.one)
    Vm.objects.filter(pk=only.pk).update(possible_owners=[two], preferred_owners=[two, one])
    Vm.objects.filter(pk=both.pk).update(possible_owners=[one, two])
    evict(hall.two)
    assert Vm.objects.get(pk=only.pk).preferred_owners == [one]
    assert Vm.objects.get(pk=only.pk).possible_owners == [two]
    assert Vm.objects.get(pk=both.pk).possible_owners == [one]


def test_the_second_of_two_administrators_is_told(hall: SimpleNamespace) -> None:
    evict(hall.two)
    with pytest.raises(ActionRefused, match="There is no node called “hv-02”") as refusal:
        evict(hall.two)
    assert refusal.value.status == 404


def test_an_order_to_a_node_that_left_meanwhile_says_so(hall: SimpleNamespace) -> None:
    stale = Node.objects.get(pk=hall.two.pk)
    evict(hall.two)
    with pytest.raises(ActionRefused, match="There is no node called “hv-02”"):
        give(actor=ANA, kind=OperationKind.LIVE_MIGRATION, vm=hall.web01, source=hall.one, target=stale)
    assert not Operation.objects.exists()


def test_an_operator_evicts_nothing(hall: SimpleNamespace) -> None:
    oli = Actor(name="oli", role=Role.OPERATOR, origin="test")
    with pytest.raises(ActionRefused, match="needs the role administrator"):
        nodes.evict(actor=oli, node=hall.two, typed="hv-02")


def test_a_sweep_that_began_before_says_nothing_of_a_node_that_left(hall: SimpleNamespace) -> None:
    observer = Observer(hall.c1.pk)
    words = {node.pk: Word.ANSWERS for node in (hall.one, hall.two)}
    observer.observe([Look(hall.two.pk, hall.clock.now(), {})], words)
    seen = VolumesSeen(hall.two.pk, (VolumeSeen("new", "csv", "/new", True, True, 1, 1),))
    observer.refresh()
    held, observer.refresh = observer.refresh, lambda: False  # type: ignore[method-assign]
    evict(hall.two)
    observer.observe([seen], {hall.two.pk: Word.SILENT, hall.one.pk: Word.SILENT})
    observer.refresh = held  # type: ignore[method-assign]
    observer.observe([Load(hall.two.pk, 1.0, 1, {})], {})
    assert hall.two.pk not in observer.picture.looks
    assert not Volume.objects.exists()
    assert Node.objects.get().state == NodeState.DOWN
    assert Vm.objects.get().state == VmState.UNMONITORED
