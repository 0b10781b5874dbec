"""Clusters from hosts: the demonstration, a described cluster, and what is said of a wrong description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from clustermgr.access import CLUSTER
from clustermgr.actions import clusters
from clustermgr.core.states import NodeState, Priority, VmState, VolumeKind, Wanted
from clustermgr.drivers.lab import store
from clustermgr.drivers.lab.faults import Faults
from clustermgr.drivers.lab.world import World
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster, Event, Holder, Network, Node, Vm, Volume
from clustermgr.secrets import unseal
from tests.fakes import VirtualClock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv(store.ENV, str(tmp_path / "lab.sqlite3"))
    return World(store.default())


def test_the_demonstration_is_somebodys_cluster_and_is_made_once(world: World) -> None:
    call_command("demo", "--second", verbosity=0)
    call_command("demo", "--second", verbosity=0)
    assert list(Cluster.objects.values_list("name", flat=True)) == ["BRANCH-CL2", "PROD-CL1"]
    main = Cluster.objects.get(name="PROD-CL1")
    assert set(main.nodes.values_list("state", flat=True)) == {NodeState.UP}
    assert main.nodes.count() == 4
    assert main.vms.count() >= 30
    assert sorted(main.volumes.values_list("kind", flat=True)) == ["csv", "csv", "disk"]
    assert {"off", "paused", "running", "saved"} <= set(main.vms.values_list("state", flat=True))
    assert Event.objects.filter(code="cluster_created").count() == 2


def test_an_adopted_vm_is_described_wholly(world: World) -> None:
    call_command("demo", verbosity=0)
    dc = Vm.objects.get(name="dc01")
    assert (dc.state, dc.wanted, dc.priority) == (VmState.RUNNING, Wanted.RUNNING, Priority.HIGH)
    assert Node.objects.filter(pk__in=dc.preferred_owners).count() == 2
    assert Holder.objects.get(vm=dc).node == dc.owner
    assert (dc.volume.name, dc.volume.kind) == ("csv1", VolumeKind.CSV)
    assert dc.name not in dc.definition
    assert dc.name in unseal(dc.definition)
    vault = Vm.objects.get(name="cad-vault")
    assert (vault.volume.kind, vault.volume.owner) == (VolumeKind.DISK, vault.owner)
    assert Network.objects.get(name="DMZ").nodes.count() == 4


def described(tmp_path: Path, **changed: Any) -> str:
    nodes = [{"name": name, "driver": "lab", "address": f"lab:{name}"} for name in ("n1", "n2")]
    content = {"cluster": "Described", "nodes": nodes, "allow_unsafe_migration": True, **changed}
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_a_described_cluster_is_imported_and_grows(world: World, tmp_path: Path) -> None:
    for name in ("n1", "n2"):
        world.node(name)
    world.volume("csv1")
    world.vm("a", on="n1")
    Faults(world).power_off("n2")
    volumes = [{"name": "csv1", "kind": "csv"}]
    call_command("import_cluster", described(tmp_path, volumes=volumes), verbosity=0)
    cluster = Cluster.objects.get()
    assert (cluster.name, cluster.allow_unsafe_migration) == ("Described", True)
    assert list(cluster.nodes.values_list("name", "state")) == [("n1", "up"), ("n2", "joining")]
    world.vm("b", on="n1")
    call_command("import_cluster", described(tmp_path), verbosity=0)
    assert list(cluster.vms.values_list("name", flat=True)) == ["a", "b"]
    assert Volume.objects.get().kind == VolumeKind.CSV


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"nodes": [{"name": "n1"}]}, "lacks or misspells 'driver'"),
        ({"nodes": [{"name": "a" * 3, "driver": "lab", "address": "lab:n1"}] * 2}, ""),
        ({"volumes": [{"name": "x", "kind": "tape"}]}, "tape"),
    ],
)
def test_a_wrong_description_is_one_sentence(world: World, tmp_path: Path, changed: Any, words: str) -> None:
    if words:
        with pytest.raises(CommandError, match=words):
            call_command("import_cluster", described(tmp_path, **changed), verbosity=0)
    else:
        call_command("import_cluster", described(tmp_path, **changed), verbosity=0)
        assert Node.objects.count() == 1


def test_names_that_cannot_be_told_apart_are_refused(world: World) -> None:
    one = clusters.create_cluster(actor=CLUSTER, name="Zu\u0308rich")
    with pytest.raises(ActionRefused, match="a cluster called “Zürich” already"):
        clusters.create_cluster(actor=CLUSTER, name="Zürich")
    with pytest.raises(ActionRefused, match="character 3 is U\\+200D"):
        clusters.create_cluster(actor=CLUSTER, name="On\u200de")
    with pytest.raises(ActionRefused, match="A node's name has 1 to 60 letters"):
        clusters.add_node(actor=CLUSTER, cluster=one, name="n\u200b1", driver="lab", address="lab:n1")


def test_a_host_belongs_to_one_cluster(world: World) -> None:
    for name in ("One", "Two"):
        clusters.create_cluster(actor=CLUSTER, name=name)
    one, two = Cluster.objects.all()
    clusters.add_node(actor=CLUSTER, cluster=one, name="n1", driver="lab", address="lab:n1")
    with pytest.raises(ActionRefused, match="already the node n1 of One"):
        clusters.add_node(actor=CLUSTER, cluster=two, name="n1", driver="lab", address="lab:n1")
    with pytest.raises(ActionRefused, match="has a node called “N1” already"):
        clusters.add_node(actor=CLUSTER, cluster=one, name="N1", driver="lab", address="lab:n2")
    with pytest.raises(ActionRefused, match="a cluster called “One” already"):
        clusters.create_cluster(actor=CLUSTER, name="One")
