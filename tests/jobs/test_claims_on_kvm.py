"""The claim of a session on real libvirt nodes: its file on the CSV, a copy that is found, paths apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clustermgr.actions import claims, watching
from clustermgr.core.markers import ClaimState
from clustermgr.jobs.claims import claim, sweep
from clustermgr.jobs.hosts import connect_to
from clustermgr.kvmlab.layout import CSV
from clustermgr.models import Claim, Cluster, Node, Volume, VolumeAccess
from clustermgr.ports import clock
from tests.jobs.test_on_kvm import Plant
from tests.jobs.test_on_kvm import plant as plant
from tests.kvm import kvm_lab as kvm_lab

pytestmark = [pytest.mark.qemu, pytest.mark.slow]


@pytest.fixture
def csv(plant: Plant) -> Iterator[Path]:
    """The folder of the shared volume, without markers before and after."""
    folder = plant.lab.layout.volume(CSV)
    yield folder
    for left in folder.glob("clustermgr-*"):
        left.unlink()


def session(number: int) -> Claim:
    """A watch begins, and a worker claims for it."""
    cluster = Cluster.objects.get()
    watching.WatchShard.objects.update(lease_owner="", lease_expires=None)
    assert watching.take(cluster.pk, f"watch {number}")
    claim(cluster.pk)
    return Claim.objects.get()


def test_a_session_is_claimed_by_a_file_that_takes_no_room(plant: Plant, csv: Path) -> None:
    found = session(1)
    assert (found.state, found.volume) == (ClaimState.HELD, CSV)
    file = csv / claims.session(found).name
    assert (file.stat().st_blocks, file.stat().st_size >= 512) == (0, True)
    for node in Node.objects.all():
        assert list(connect_to(node).markers(CSV)) == [file.name]


def test_old_markers_go_and_a_second_copy_is_found(plant: Plant, csv: Path) -> None:
    session(1)
    found = session(2)
    sweep(Node.objects.latest("pk").pk, CSV)
    assert [file.name for file in csv.glob("clustermgr-*")] == [claims.session(found).name]
    # What a copy that began when this session did has in its database: the same number, nothing of the maker.
    Claim.objects.update(state=ClaimState.OPEN, nonces={})
    claim(found.cluster_id)
    reason = Cluster.objects.get().stood_down_reason
    assert f"its marker (epoch 1, session {found.session}) lies on {CSV}" in reason


def test_folders_of_the_same_name_are_no_shared_volume(plant: Plant, csv: Path) -> None:
    VolumeAccess.objects.update(active=False)
    pair = list(Node.objects.order_by("name")[:2])
    apart = Volume.objects.create(
        cluster=Cluster.objects.get(), name="apart", kind="csv", path="/var/lib/libvirt/apart"
    )
    for number, node in enumerate(pair, 1):
        plant.lab.virsh(number, "pool-create-as", "apart", "dir", "--target", apart.path, "--build")
        seen = {"active": True, "reachable": True, "observed_at": clock().now()}
        VolumeAccess.objects.create(volume=apart, node=node, **seen)
    try:
        session(1)
        found = session(2)
        assert [len(connect_to(node).markers("apart")) for node in pair] == [2, 2]
    finally:
        for number in (1, 2):
            plant.lab.virsh(number, "pool-destroy", "apart")
    assert found.state == ClaimState.OPEN
    assert Cluster.objects.get().stood_down_at is None
