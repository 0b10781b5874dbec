"""What an administrator says of a volume, and what follows from it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clustermgr.access import Actor
from clustermgr.actions import standing, vms, volumes
from clustermgr.core.states import Role
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Event
from tests import worlds

pytestmark = pytest.mark.django_db(transaction=True)
ANA = Actor(name="ana", role=Role.ADMINISTRATOR, origin="test")


@pytest.fixture
def hall() -> SimpleNamespace:
    """web01 lies on `default`, a directory that both nodes have."""
    cluster = worlds.cluster("c1")
    one, two = worlds.node(cluster, "hv-01"), worlds.node(cluster, "hv-02")
    default = worlds.volume(cluster, "default", kind="disk", owner=one)
    default.access.update(active=True)
    web = worlds.vm("web01", on=one, volume=default, settings={})
    return SimpleNamespace(cluster=cluster, one=one, two=two, default=default, web=web)


def test_what_lies_on_it_moves_only_when_it_is_declared_shared(hall: SimpleNamespace) -> None:
    with pytest.raises(ActionRefused, match="lies on the cluster disk default"):
        vms.live_migrate(actor=ANA, vm=hall.web, target=hall.two)
    row = volumes.declare_volume(actor=ANA, volume=hall.default, kind="csv")
    assert (row.kind, row.declared, row.owner) == ("csv", True, None)
    hall.web.refresh_from_db()
    assert vms.live_migrate(actor=ANA, vm=hall.web, target=hall.two).target == hall.two


def test_a_disk_belongs_to_a_node_that_has_it_online(hall: SimpleNamespace) -> None:
    volumes.declare_volume(actor=ANA, volume=hall.default, kind="csv")
    assert volumes.declare_volume(actor=ANA, volume=hall.default, kind="disk").owner == hall.one


def test_it_is_told_and_audited_once(hall: SimpleNamespace) -> None:
    for _ in range(2):
        volumes.declare_volume(actor=ANA, volume=hall.default, kind="csv")
    assert Event.objects.get(code="volume_declared").params["kind"] == "Cluster Shared Volume"
    assert AuditEntry.objects.get(verb="declare_volume").subject == "default"


def test_who_may_not_and_what_is_no_kind_is_refused(hall: SimpleNamespace) -> None:
    oli = Actor(name="oli", role=Role.OPERATOR, origin="test")
    with pytest.raises(ActionRefused, match="this needs the role administrator"):
        volumes.declare_volume(actor=oli, volume=hall.default, kind="csv")
    with pytest.raises(ActionRefused, match="A volume is “csv” or “disk”"):
        volumes.declare_volume(actor=ANA, volume=hall.default, kind="tape")


def test_a_cluster_that_stands_down_takes_no_declaration(hall: SimpleNamespace) -> None:
    standing.stand_down(actor=ANA, cluster=hall.cluster, reason="A test.")
    with pytest.raises(ActionRefused, match="takes no orders"):
        volumes.declare_volume(actor=ANA, volume=hall.default, kind="csv")
    hall.default.refresh_from_db()
    assert hall.default.kind == "disk"
