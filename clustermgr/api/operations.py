"""Operations: what was ordered, how far it is, how it ended; waiting for one, and cancelling it."""

from __future__ import annotations

from typing import Annotated, Any

from django.db import close_old_connections, connection
from django.http import HttpRequest
from ninja import Router
from ninja.responses import Status
from pydantic import Field

from clustermgr.actions import operations as actions
from clustermgr.api.auth import actor, needs
from clustermgr.api.repeats import once
from clustermgr.api.shapes import Operation, OperationList, Ordered, or_problem
from clustermgr.api.values import Id, Limit, Ref, Text
from clustermgr.core.states import OperationKind, OperationState
from clustermgr.ports import clock
from clustermgr.queries import find
from clustermgr.queries import operations as queries
from clustermgr.queries.rows import operation_row

router = Router(tags=["operations"])
LOOK_EVERY_S = 0.5


@router.get("/{cluster}/operations", response=or_problem(OperationList), **needs("view"))
def list_operations(
    request: HttpRequest,
    cluster: Ref,
    q: Text = "",
    state: OperationState | None = None,
    kind: OperationKind | None = None,
    mine: bool = False,
    before: Id | None = None,
    limit: Limit = 100,
) -> Any:
    """The newest first; `q`: a part of the virtual machine's name."""
    wanted = queries.TaskFilter(
        q=q,
        state=state or "",
        kind=kind or "",
        mine=actor(request).name if mine else "",
        before=before,
        limit=limit,
    )
    found = queries.task_list(find.cluster(cluster), wanted)
    return {"items": found.rows, "next_before": found.next_before}


@router.get("/{cluster}/operations/{operation}", response=or_problem(Operation), **needs("view"))
def show_operation(
    request: HttpRequest, cluster: Ref, operation: Id, wait: Annotated[int, Field(ge=0, le=30)] = 0
) -> Any:
    """`wait`: answer when it has ended, at the latest after so many seconds."""
    here = find.cluster(cluster)
    row = find.operation(here, operation)
    until = clock().monotonic() + wait
    while row.active and (left := until - clock().monotonic()) > 0:
        # A request that only waits gives its connection back; within a transaction there is no giving back.
        if not connection.in_atomic_block:
            close_old_connections()
        clock().sleep(min(LOOK_EVERY_S, left))
        row = find.operation(here, operation)
    return operation_row(row)


@router.post("/{cluster}/operations/{operation}/cancel", response=or_problem(Ordered, 202), **needs("cancel"))
@once(lambda request, kept, *, cluster, operation: _ordered(find.operation(find.cluster(cluster), operation)))
def cancel(request: HttpRequest, cluster: Ref, operation: Id) -> Any:
    """Ask it to end; while it is being cancelled, asking again changes nothing."""
    row = find.operation(find.cluster(cluster), operation)
    found = actions.cancel(actor=actor(request), operation=row)
    return _ordered(found)


def _ordered(row: Any) -> Status:
    return Status(202, {"operation": operation_row(row)})
