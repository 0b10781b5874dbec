"""Events and audit entries: filtered in SQL, paged by a stable cursor (older than an id)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, QuerySet

from clustermgr.core.events import SENTENCES
from clustermgr.core.states import Level
from clustermgr.models import AuditEntry, Cluster, Event
from clustermgr.queries.roles import whole
from clustermgr.queries.rows import told

PAGE = 100
RANK = {Level.INFO: 0, Level.WARNING: 1, Level.ERROR: 2, Level.CRITICAL: 3}
AROUND = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """`level` and worse; `q` looks in the sentence, the names and the code."""

    level: str = ""
    node: int | None = None
    role: int | None = None
    q: str = ""
    before: int | None = None
    limit: int = PAGE

    @property
    def narrowed(self) -> bool:
        return bool(self.level or self.node or self.role or self.q)

    @classmethod
    def read(cls, query: Mapping[str, str]) -> EventFilter:
        level = query.get("level", "")
        return cls(
            level=level if level in list(Level) else "",
            node=whole(query.get("node", "")),
            role=whole(query.get("role", "")),
            q=query.get("q", "").strip()[:100],
            before=whole(query.get("before", "")),
        )


@dataclass(frozen=True, slots=True)
class EventList:
    rows: list[Event]
    newest: int
    next_before: int | None


def event_list(cluster: Cluster, wanted: EventFilter) -> EventList:
    found = _filtered(told().filter(cluster=cluster), wanted)
    if wanted.before:
        found = found.filter(pk__lt=wanted.before)
    rows = list(found.order_by("-id")[: wanted.limit + 1])
    older = rows[wanted.limit - 1].pk if len(rows) > wanted.limit else None
    return EventList(rows[: wanted.limit], rows[0].pk if rows else 0, older)


def newer(cluster: Cluster, wanted: EventFilter, than: int) -> int:
    """How many events came after the newest one on the page; at most 100 are counted."""
    return _filtered(Event.objects.filter(cluster=cluster, pk__gt=than), wanted)[:PAGE].count()


def _filtered(found: QuerySet[Event], wanted: EventFilter) -> QuerySet[Event]:
    if wanted.level:
        worse = [level for level, rank in RANK.items() if rank >= RANK[Level(wanted.level)]]
        found = found.filter(level__in=worse)
    if wanted.node:
        found = found.filter(node_id=wanted.node)
    if wanted.role:
        found = found.filter(vm_id=wanted.role)
    if wanted.q:
        words = wanted.q.lower()
        # Sentences are made when shown, so a phrase of the sentence is looked up by its code.
        codes = [code for code, text in SENTENCES.items() if words in text.lower()]
        found = found.filter(
            Q(code__in=codes)
            | Q(code__icontains=wanted.q)
            | Q(vm__name__icontains=wanted.q)
            | Q(node__name__icontains=wanted.q)
            | Q(actor__icontains=wanted.q)
            | Q(params__icontains=wanted.q)
        )
    return found


@dataclass(frozen=True, slots=True)
class EventDetail:
    event: Event
    effects: list[Event]
    around: list[Event]


def event_detail(cluster: Cluster, pk: int) -> EventDetail | None:
    related = told().filter(cluster=cluster)
    found = related.filter(pk=pk).first()
    if found is None:
        return None
    near = related.filter(at__gte=found.at - AROUND, at__lte=found.at + AROUND)
    effects = related.filter(cause=found).order_by("id")[:20]
    return EventDetail(found, list(effects), list(near.order_by("at", "id")[:50]))


@dataclass(frozen=True, slots=True)
class AuditList:
    rows: list[AuditEntry]
    next_before: int | None


def audit_list(cluster: Cluster, q: str, refused: bool, before: int | None, limit: int = PAGE) -> AuditList:
    """Orders of this cluster, and those that belong to none (accounts and tokens)."""
    here = Q(cluster=cluster) | Q(cluster=None)
    found = AuditEntry.objects.filter(here).select_related("operation")
    if q:
        found = found.filter(Q(username__icontains=q) | Q(subject__icontains=q) | Q(verb__icontains=q))
    if refused:
        found = found.filter(accepted=False)
    if before:
        found = found.filter(pk__lt=before)
    rows = list(found.order_by("-id")[: limit + 1])
    return AuditList(rows[:limit], rows[limit - 1].pk if len(rows) > limit else None)
