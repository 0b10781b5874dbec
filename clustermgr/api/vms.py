"""Virtual machines: lists, one in detail, where it could move, and how its configuration differs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from clustermgr.api.auth import needs
from clustermgr.api.shapes import Drift, Verdict, Vm, VmDetail, VmList, or_problem
from clustermgr.api.values import Limit, MoveKind, Offset, Ref, Sort, Text
from clustermgr.core.findings import finding
from clustermgr.core.states import VmState
from clustermgr.errors import ActionRefused
from clustermgr.queries import find, roles, verdicts

router = Router(tags=["vms"])


@router.get("/{cluster}/vms", response=or_problem(VmList), **needs("view"))
def list_vms(
    request: HttpRequest,
    cluster: Ref,
    q: Text = "",
    state: VmState | None = None,
    node: Ref | None = None,
    attention: bool = False,
    drift: bool = False,
    sort: Sort = Sort.NAME,
    offset: Offset = 0,
    limit: Limit = 100,
) -> Any:
    """Searched by a part of the name, filtered and sorted; at most 100 at a time."""
    here = find.cluster(cluster)
    wanted = roles.RoleFilter(
        q=q,
        state=state or "",
        node=find.node(here, node, status=422).pk if node else None,
        attention=attention,
        drift=drift,
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
        offset=offset,
        limit=limit,
    )
    found = roles.role_list(here, wanted)
    return {"items": found.rows, "total": found.total, "next_offset": found.next_offset}


@router.get("/{cluster}/vms/{vm}", response=or_problem(VmDetail), **needs("view"))
def show_vm(request: HttpRequest, cluster: Ref, vm: Ref) -> Any:
    """One virtual machine, with its settings and the version that a change of them names."""
    here = find.cluster(cluster)
    found = roles.role_detail(here, find.vm(here, vm).pk)
    if found is None:  # it went between two queries
        raise ActionRefused(finding("unknown_vm", vm=vm, cluster=here.name), status=404)
    more = {name: getattr(found, name) for name in VmDetail.model_fields if name not in Vm.model_fields}
    return {**Vm.from_orm(found.vm).dict(), **more}


@router.get("/{cluster}/vms/{vm}/targets", response=or_problem(list[Verdict]), **needs("view"))
def list_targets(
    request: HttpRequest, cluster: Ref, vm: Ref, kind: MoveKind = MoveKind.LIVE_MIGRATION
) -> Any:
    """Every node with a verdict for such a move, the best first; each rejected one with every reason."""
    return verdicts.for_move(find.vm(find.cluster(cluster), vm), kind.value)


@router.get("/{cluster}/vms/{vm}/drift", response=or_problem(Drift), **needs("view"))
def show_drift(request: HttpRequest, cluster: Ref, vm: Ref) -> Any:
    """The cluster's copy, the host's and what runs, by field. `fingerprint` is what a refresh accepts."""
    found = find.drift(find.vm(find.cluster(cluster), vm))
    return found or {"fingerprint": "", "found_at": None, "read_at": None, "fields": []}
