"""What the socket and its fallback ask of the database: version cursors and operations, as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Coalesce

from clustermgr.core.states import ACTIVE
from clustermgr.models import Cluster, Operation


@dataclass(frozen=True, slots=True)
class ToldOperation:
    """As much of an operation as its announcement and its bar need."""

    id: int
    vm_id: int | None
    vm: str
    kind: str
    state: str
    progress: dict[str, Any]


def versions(cluster_ids: Iterable[int]) -> dict[int, int]:
    """The newest version of each cluster; one that is gone is left out."""
    return dict(Cluster.objects.filter(pk__in=list(cluster_ids)).values_list("pk", "version"))


def cluster_of(slug: str) -> tuple[int, int] | None:
    """Id and version of the cluster with this slug."""
    return Cluster.objects.filter(slug=slug).values_list("pk", "version").first()


def slug_of(cluster_id: int) -> str:
    """Empty for a cluster that is gone: nothing is shown of it."""
    return Cluster.objects.filter(pk=cluster_id).values_list("slug", flat=True).first() or ""


def told_operations(cluster_id: int, ids: Iterable[int]) -> list[ToldOperation]:
    return _told(Operation.objects.filter(cluster_id=cluster_id, pk__in=list(ids)))


def running_operations(cluster_id: int) -> list[ToldOperation]:
    return _told(Operation.objects.filter(cluster_id=cluster_id, state__in=list(ACTIVE))[:200])


def _told(rows: Any) -> list[ToldOperation]:
    columns = ("pk", "vm_id", Coalesce("vm__name", "gone_vm"), "kind", "state", "progress")
    return [ToldOperation(*row) for row in rows.values_list(*columns)]
