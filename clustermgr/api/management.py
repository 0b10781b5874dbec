"""Whether a cluster is managed from here: standing down, resuming, taking over. In the clusters' routes."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from pydantic import Field

from clustermgr.actions import standing
from clustermgr.actions.repeats import Kept
from clustermgr.api.auth import actor, needs
from clustermgr.api.clusters import router
from clustermgr.api.repeats import once
from clustermgr.api.shapes import Management, or_problem
from clustermgr.api.values import NO_CONTROLS, Body, Ref
from clustermgr.queries import find
from clustermgr.queries.management import management


class StandDownOrder(Body):
    """`reason`: everybody who opens the cluster reads it."""

    reason: str = Field(min_length=1, max_length=300, pattern=NO_CONTROLS)


class TakeOverOrder(Body):
    """`confirm`: the cluster's name, typed."""

    confirm: str = Field(min_length=1, max_length=100, pattern=NO_CONTROLS)


def _again(request: HttpRequest, kept: Kept, *, cluster: str, **values: Any) -> Any:
    return management(find.cluster(cluster))


@router.get("/{cluster}/management", response=or_problem(Management), **needs("view"))
def show_management(request: HttpRequest, cluster: Ref) -> Any:
    """Whether orders are taken, this installation's id and epoch, and which other managers were seen."""
    return management(find.cluster(cluster))


@router.post("/{cluster}/stand-down", response=or_problem(Management), **needs("stand_down"))
@once(_again)
def stand_down(request: HttpRequest, cluster: Ref, order: StandDownOrder) -> Any:
    """Look only: waiting orders are cancelled, running ones end, nothing is done by itself."""
    return management(
        standing.stand_down(actor=actor(request), cluster=find.cluster(cluster), reason=order.reason)
    )


@router.post("/{cluster}/resume", response=or_problem(Management), **needs("resume_cluster"))
@once(_again)
def resume_cluster(request: HttpRequest, cluster: Ref) -> Any:
    """Manage again what a person stood down."""
    return management(standing.resume(actor=actor(request), cluster=find.cluster(cluster)))


@router.post("/{cluster}/take-over", response=or_problem(Management), **needs("take_over"))
@once(_again)
def take_over(request: HttpRequest, cluster: Ref, order: TakeOverOrder) -> Any:
    """Manage it from here alone: every machine is stamped anew, and an older twin stands down by itself."""
    row = find.cluster(cluster)
    return management(standing.take_over(actor=actor(request), cluster=row, confirm=order.confirm))
