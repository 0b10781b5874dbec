"""Who may hold a VM, when a sweep and an order write at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction

from clustermgr.actions import seen_vms
from clustermgr.actions._ledger import change
from clustermgr.models import Holder, Vm
from tests import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def left() -> Holder:
    """web01 belongs to hv-01; hv-02 is a possible holder that was seen without it."""
    cluster = worlds.cluster("c1")
    one, two = worlds.node(cluster, "hv-01"), worlds.node(cluster, "hv-02")
    web = worlds.vm("web01", on=one, holders=[one, two])
    return Holder.objects.get(vm=web, node=two)


def free(vm: int) -> bool:
    """Whether an order could be given for this VM in this moment."""
    try:
        with transaction.atomic():
            Vm.objects.select_for_update(nowait=True).get(pk=vm)
    except OperationalError:
        return False
    finally:
        connection.close()
    return True


def test_an_order_waits_while_a_sweep_drops_a_holder(left: Holder) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    with ThreadPoolExecutor(1) as other, change(left.vm.cluster_id) as tx:
        seen_vms.unheld(tx, [(left.pk, left.vm_id)])
        assert not other.submit(free, left.vm_id).result(timeout=10)


def test_what_an_order_holds_keeps_its_holders(left: Holder) -> None:
    worlds.operation(left.vm)
    with change(left.vm.cluster_id) as tx:
        seen_vms.unheld(tx, [(left.pk, left.vm_id)])
        seen_vms.held(tx, [(left.vm_id, left.node_id)])
    assert Holder.objects.filter(vm=left.vm).count() == 2


def test_a_node_that_became_the_owner_stays_a_holder(left: Holder) -> None:
    Vm.objects.filter(pk=left.vm_id).update(owner=left.node)
    with change(left.vm.cluster_id) as tx:
        seen_vms.unheld(tx, [(left.pk, left.vm_id)])
    assert Holder.objects.filter(pk=left.pk).exists()
