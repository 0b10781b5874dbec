"""The roles list (searched, filtered and sorted in SQL, at most 100 rows) and one role in detail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Exists, F, IntegerField, OuterRef, QuerySet, Value, When
from django.db.models.functions import Lower

from clustermgr.core.states import ACTIVE, PRIORITY_RANK, NodeState, VmState
from clustermgr.models import Cluster, Event, Holder, Node, Vm
from clustermgr.queries.rows import OperationRow, VmRow, operation_row, operations, told, vm_rows_of, vms

PAGE = 100

SORTS = {
    "name": Lower("name"),
    "state": F("state"),
    "owner": F("owner__name"),
    "cpu": F("cpu_percent"),
    "memory": F("memory_mib"),
    "priority": Case(
        *[When(priority=word, then=Value(rank)) for word, rank in PRIORITY_RANK.items()],
        output_field=IntegerField(),
    ),
    "uptime": F("started_at"),
}


@dataclass(frozen=True, slots=True)
class RoleFilter:
    """What the query string asks for; wrong values ask for nothing."""

    q: str = ""
    state: str = ""
    node: int | None = None
    attention: bool = False
    drift: bool = False
    sort: str = "name"
    descending: bool = False
    offset: int = 0
    limit: int = PAGE

    @property
    def narrowed(self) -> bool:
        return bool(self.q or self.state or self.node or self.attention or self.drift)

    @classmethod
    def read(cls, query: Mapping[str, str]) -> RoleFilter:
        sort = query.get("sort", "name")
        key = sort.removeprefix("-")
        state = query.get("state", "")
        return cls(
            q=query.get("q", "").strip()[:100],
            state=state if state in list(VmState) else "",
            node=whole(query.get("node", "")),
            attention=query.get("attention") == "1",
            drift=query.get("drift") == "1",
            sort=key if key in SORTS else "name",
            descending=sort.startswith("-") and key in SORTS,
            offset=min(whole(query.get("offset", "")) or 0, 1_000_000),
        )


@dataclass(frozen=True, slots=True)
class RoleList:
    rows: list[VmRow]
    total: int
    shown_from: int
    next_offset: int | None

    @property
    def shown_to(self) -> int:
        return self.shown_from + len(self.rows)


def whole(text: str) -> int | None:
    """A number from a query string, or None; never one that a database column cannot hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def role_list(cluster: Cluster, wanted: RoleFilter) -> RoleList:
    found = _filtered(vms().filter(cluster=cluster), wanted)
    key = SORTS[wanted.sort]
    order = key.desc(nulls_last=True) if wanted.descending else key.asc(nulls_last=True)
    page = list(found.order_by(order, "name")[wanted.offset : wanted.offset + wanted.limit])
    fits = wanted.offset == 0 and len(page) < wanted.limit
    total = len(page) if fits else _filtered(vms().filter(cluster=cluster), wanted).count()
    end = wanted.offset + len(page)
    return RoleList(vm_rows_of(page), total, wanted.offset, end if end < total else None)


def joining(cluster: Cluster) -> list[str]:
    """Names of the nodes that are still being read: why there may be no roles yet."""
    found = Node.objects.filter(cluster=cluster, state=NodeState.JOINING)
    return list(found.order_by("name").values_list("name", flat=True)[:5])


def _filtered(found: QuerySet[Vm], wanted: RoleFilter) -> QuerySet[Vm]:
    if wanted.q:
        found = found.filter(name__icontains=wanted.q)
    if wanted.state == VmState.MIGRATING:
        found = found.filter(operations__state__in=ACTIVE[1:], operations__target__isnull=False).exclude(
            operations__target=F("operations__source")
        )
    elif wanted.state:
        found = found.filter(state=wanted.state)
    if wanted.node:
        found = found.filter(owner_id=wanted.node)
    if wanted.drift:
        found = found.filter(drifted=True)
    if wanted.attention:
        found = found.filter(
            state__in=[VmState.FAILED, VmState.PAUSED_CRITICAL, VmState.UNMONITORED, VmState.UNKNOWN]
        )
    return found


@dataclass(frozen=True, slots=True)
class RoleDetail:
    """One role with what its page shows. `moves` and `events` are the newest few."""

    vm: VmRow
    node_state: str
    notes: str
    offline_action: str
    preferred: list[str]
    possible: list[str]
    holders: list[str]
    disks: list[Mapping[str, Any]]
    nics: list[Mapping[str, Any]]
    uuid: str
    saved: bool
    config_version: int
    drift: Any
    moves: list[OperationRow]
    events: list[Event]


def role_detail(cluster: Cluster, pk: int, *, moves: int = 0, events: int = 0) -> RoleDetail | None:
    """None when it is not here. `moves`, `events`: how many of the newest to bring along."""
    rows = vms().defer(None).defer("definition", "drift__definition").select_related("drift")
    rows = rows.select_related("cluster__watch", "owner", "volume", "drift")
    row = rows.filter(cluster=cluster, pk=pk).first()
    if row is None:
        return None
    holds = Exists(Holder.objects.filter(vm=row, node=OuterRef("pk")))
    nodes = list(
        Node.objects.filter(cluster=cluster).annotate(holds=holds).values_list("pk", "name", "holds")
    )
    names = {node: name for node, name, _ in nodes}
    settings = row.settings if isinstance(row.settings, dict) else {}
    return RoleDetail(
        vm=vm_rows_of([row])[0],
        node_state=row.owner.state,
        notes=row.notes,
        offline_action=row.offline_action,
        preferred=[names[n] for n in row.preferred_owners if n in names],
        possible=[names[n] for n in row.possible_owners if n in names],
        holders=[name for _, name, held in nodes if held],
        disks=settings.get("disks", []),
        nics=settings.get("nics", []),
        uuid=row.uuid,
        saved=bool(row.saved_file) and not row.saved_spent,
        config_version=row.config_version,
        drift=getattr(row, "drift", None),
        moves=role_operations(row.pk, moves) if moves else [],
        events=role_events(row.pk, events) if events else [],
    )


def role_events(vm_id: int, limit: int) -> list[Event]:
    return list(told().filter(vm_id=vm_id)[:limit])


def role_operations(vm_id: int, limit: int = 100) -> list[OperationRow]:
    return [operation_row(row) for row in operations().filter(vm_id=vm_id).order_by("-id")[:limit]]
