"""Nodes of a cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Router

from clustermgr.api.auth import needs
from clustermgr.api.shapes import Node, NodeDetail, or_problem
from clustermgr.api.values import Ref
from clustermgr.queries import find, nodes

router = Router(tags=["nodes"])


@router.get("/{cluster}/nodes", response=or_problem(list[Node]), **needs("view"))
def list_nodes(request: HttpRequest, cluster: Ref) -> Any:
    """Nodes with their state, load and how many virtual machines they own."""
    return nodes.node_list(find.cluster(cluster))


@router.get("/{cluster}/nodes/{node}", response=or_problem(NodeDetail), **needs("view"))
def show_node(request: HttpRequest, cluster: Ref, node: Ref) -> Any:
    """One node, with what it can do and which virtual machines it owns."""
    here = find.cluster(cluster)
    found = nodes.node_detail(here, find.node(here, node).pk)
    if found is None:  # it went between two queries
        return find.node(here, node)
    more = {
        "address": found.address,
        "cpu_model": found.cpu_model,
        "capabilities": found.capabilities,
        "networks": found.networks,
        "slots_used": found.slots_used,
        "slots": found.slots,
        "vms": [row.name for row in found.roles],
        "migration_address": found.migration_address,
        "access": asdict(found.access),
    }
    return {**Node.from_orm(found.node).dict(), **more}
