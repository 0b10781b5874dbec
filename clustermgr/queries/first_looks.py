"""Which nodes nobody has looked at since the database was put back: they may run any of its machines."""

from __future__ import annotations

from clustermgr.models import Node


def not_looked_at(cluster_id: int) -> list[str]:
    """Names of these nodes; none, most of the time."""
    rows = Node.objects.filter(cluster=cluster_id, restored_at__isnull=False)
    return list(rows.values_list("name", flat=True))


def why_not_yet(cluster_id: int, vm: str) -> str:
    """Why no copy of this machine may be started yet, or nothing. To evict a node is the administrator's word
    that it runs none."""
    names = not_looked_at(cluster_id)
    if not names:
        return ""
    shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    return f"{shown} may run {vm}: nobody has looked there since the database was put back"
