"""Clusters, their volumes and networks, and the audit."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router
from pydantic import Field, StrictBool, StrictInt

from clustermgr.actions import properties, volumes
from clustermgr.api.auth import actor, needs
from clustermgr.api.repeats import once
from clustermgr.api.shapes import (
    AuditList,
    Cluster,
    ClusterDetail,
    Network,
    Volume,
    or_problem,
)
from clustermgr.api.values import Body, Id, Limit, Ref, Text
from clustermgr.core.cluster_rules import FIELDS
from clustermgr.core.states import VolumeKind
from clustermgr.queries import events, find, nodes, overview

router = Router(tags=["clusters"])
Properties = dict[Ref, StrictBool | StrictInt]


class PropertiesOrder(Body):
    """`base`: the values of these fields as they were read. One that somebody else changed since is a
    conflict (409); the same order twice is one."""

    changes: Properties = Field(min_length=1, max_length=len(FIELDS))
    base: Properties = Field(max_length=len(FIELDS))


@router.get("", response=or_problem(list[Cluster]), **needs("view"))
def list_clusters(request: HttpRequest) -> Any:
    """Every cluster, with how many of its nodes are up and how many of its machines failed."""
    return overview.clusters()


@router.get("/{cluster}", response=or_problem(ClusterDetail), **needs("view"))
def show_cluster(request: HttpRequest, cluster: Ref) -> Any:
    """Counters, what needs attention (worst first) and what is left if the largest node fails."""
    row = find.cluster(cluster)
    found = overview.overview(row)
    return {
        "slug": row.slug,
        "name": row.name,
        **{name: getattr(row, name) for name in FIELDS},
        "health": {"ok": "ok", "move": "starting", "warn": "warning", "err": "error"}[found.health],
        "vms": found.counts,
        "nodes": found.node_counts,
        "attention": found.attention,
        "capacity": found.capacity,
        "checked_at": found.checked_at,
    }


@router.patch("/{cluster}", response=or_problem(ClusterDetail), **needs("change_cluster"))
@once(lambda request, kept, *, cluster, order: show_cluster(request, cluster))
def change_cluster(request: HttpRequest, cluster: Ref, order: PropertiesOrder) -> Any:
    """Change live_migrations_per_node, migration_bandwidth_mib_s (0: no limit) or allow_unsafe_migration."""
    row = find.cluster(cluster)
    properties.change_cluster(actor=actor(request), cluster=row, changes=order.changes, base=order.base)
    return show_cluster(request, row.slug)


@router.get("/{cluster}/volumes", response=or_problem(list[Volume]), **needs("view"))
def list_volumes(request: HttpRequest, cluster: Ref) -> Any:
    """Cluster Shared Volumes and cluster disks, with each node's access."""
    return nodes.storage(find.cluster(cluster)).rows


class Declaration(Body):
    """`csv`: every node that has it reads and writes the same files; `disk`: one node at a time."""

    kind: VolumeKind


@router.post("/{cluster}/volumes/{volume}/declare", response=or_problem(Volume), **needs("declare_volume"))
@once(lambda request, kept, *, cluster, volume, order: _declared(find.cluster(cluster), volume))
def declare_volume(request: HttpRequest, cluster: Ref, volume: Ref, order: Declaration) -> Any:
    """Say what a volume is, where its hosts cannot know whether they share it."""
    here = find.cluster(cluster)
    volumes.declare_volume(actor=actor(request), volume=find.volume(here, volume), kind=order.kind)
    return _declared(here, volume)


def _declared(here: Any, ref: str) -> Any:
    row = find.volume(here, ref)
    return next(each for each in nodes.storage(here).rows if each.id == row.pk)


@router.get("/{cluster}/networks", response=or_problem(list[Network]), **needs("view"))
def list_networks(request: HttpRequest, cluster: Ref) -> Any:
    """Networks, and which nodes carry them."""
    return nodes.networks(find.cluster(cluster)).rows


@router.get("/{cluster}/audit", response=or_problem(AuditList), **needs("view_audit"))
def list_audit(
    request: HttpRequest,
    cluster: Ref,
    q: Text = "",
    refused: bool = False,
    before: Id | None = None,
    limit: Limit = 100,
) -> Any:
    """Who ordered what, from where, and the answer; the newest first."""
    found = events.audit_list(find.cluster(cluster), q, refused, before, limit)
    return {"items": found.rows, "next_before": found.next_before}
