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


def order(vm: Vm, node: Node) -> Operation | None:
    """Have the definition of a VM removed from a node that is not its owner. None when it is the owner by
    now, when an order holds the VM, or when the cluster stands down."""
    if vm.owner_id == node.pk:
        return None
    try:
        with change(vm.cluster_id) as tx:
            return place(tx, actor=CLUSTER, kind=OperationKind.TIDY, vm=vm, source=node, reason=REASON)
    except (IntegrityError, ActionRefused):
        return None  # it is looked at again when it is free


def autostart_forbidden(vm: Vm, node: Node) -> None:
    """A machine was set to start with its host, and is not any more."""
    with change(vm.cluster_id) as tx:
        if vm.owner_id == node.pk and vm.settings.get("autostart"):
            tx.update(vm, settings={**vm.settings, "autostart": False})
        tx.event("autostart_forbidden", level=Level.WARNING, vm=vm, node=node)
