"""What the cluster orders by itself to keep its nodes tidy: stale definitions, autostart. Calls no host."""

from __future__ import annotations

from django.db import IntegrityError

from clustermgr.access import CLUSTER
from clustermgr.actions._ledger import change
from clustermgr.actions.operations import place
from clustermgr.core.states import Level, OperationKind
from clustermgr.errors import ActionRefused
from clustermgr.models import Node, Operation, Vm

REASON = "a definition of it was left behind there"
KEPT = "kept"  # the step of an order that left it there


def order(vm: Vm, node: Node, seen: str = "") -> Operation | None:
    """Have the definition of a VM removed from a node that is not its owner. None when it is the owner by
    now, when the node was never taken in, when an order holds the VM, or when the cluster stands down; also
    when the last order left it there, and it looks as it did then (`seen`)."""
    if vm.owner_id == node.pk or not node.taken_in or _kept(vm, node, seen):
        return None
    values = {"reason": REASON, "params": {"seen": seen[:300]}}
    try:
        with change(vm.cluster_id) as tx:
            return place(tx, actor=CLUSTER, kind=OperationKind.TIDY, vm=vm, source=node, **values)
    except (IntegrityError, ActionRefused):
        return None  # it is looked at again when it is free


def _kept(vm: Vm, node: Node, seen: str) -> bool:
    last = Operation.objects.filter(vm=vm, source=node, kind=OperationKind.TIDY).order_by("-pk").first()
    return bool(seen) and last is not None and (last.step, last.params.get("seen")) == (KEPT, seen[:300])


def autostart_forbidden(vm: Vm, node: Node) -> None:
    """A machine was set to start with its host, and is not any more."""
    with change(vm.cluster_id) as tx:
        row = Vm.objects.select_for_update().filter(pk=vm.pk).first()
        if row is None:
            return  # it was removed from the cluster meanwhile
        if row.owner_id == node.pk and row.settings.get("autostart"):
            tx.update(row, settings={**row.settings, "autostart": False})
        tx.event("autostart_forbidden", level=Level.WARNING, vm=row, node=node)
