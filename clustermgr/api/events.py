"""Cluster events: the list, and one with its cause and what it led to."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from clustermgr.api.auth import needs
from clustermgr.api.shapes import EventDetail, EventList, or_problem
from clustermgr.api.values import Id, Limit, Ref, Text
from clustermgr.core.findings import finding
from clustermgr.core.states import Level
from clustermgr.errors import ActionRefused
from clustermgr.queries import events, find

router = Router(tags=["events"])


@router.get("/{cluster}/events", response=or_problem(EventList), **needs("view"))
def list_events(
    request: HttpRequest,
    cluster: Ref,
    q: Text = "",
    level: Level | None = None,
    node: Ref | None = None,
    vm: Ref | None = None,
    before: Id | None = None,
    limit: Limit = 100,
) -> Any:
    """The newest first; `level` and worse; `q` looks in the sentence, the names and the code."""
    here = find.cluster(cluster)
    wanted = events.EventFilter(
        level=level or "",
        node=find.node(here, node, status=422).pk if node else None,
        role=find.vm(here, vm, status=422).pk if vm else None,
        q=q,
        before=before,
        limit=limit,
    )
    found = events.event_list(here, wanted)
    return {"items": found.rows, "next_before": found.next_before}


@router.get("/{cluster}/events/{event}", response=or_problem(EventDetail), **needs("view"))
def show_event(request: HttpRequest, cluster: Ref, event: Id) -> Any:
    """One event, with what it led to and what happened around it."""
    here = find.cluster(cluster)
    found = events.event_detail(here, event)
    if found is None:
        raise ActionRefused(finding("unknown_event", event=event, cluster=here.name), status=404)
    return found
