"""Whether a cluster is managed from here, by which id and epoch, and which other managers were seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clustermgr.models import Cluster, Installation


@dataclass(frozen=True, slots=True)
class Rival:
    """`newer_self`: a newer twin of this very installation."""

    manager: str
    epoch: int
    newer_self: bool


@dataclass(frozen=True, slots=True)
class Management:
    """`way_out`: what ends it: "resume", "take_over", or nothing. `managed`: orders are taken."""

    managed: bool
    manager_id: str
    epoch: int
    stood_down_at: datetime | None
    stood_down_reason: str
    stood_down_by: str
    rivals: list[Rival]
    way_out: str


def management(cluster: Cluster) -> Management:
    own = Installation.objects.filter(pk=1).first()
    manager_id = own.manager_id if own else ""
    down = cluster.stood_down_at is not None
    way_out = "take_over" if cluster.rivals or (down and not cluster.stood_down_by) else ""
    return Management(
        managed=not down,
        manager_id=manager_id,
        epoch=own.epoch if own else 1,
        stood_down_at=cluster.stood_down_at,
        stood_down_reason=cluster.stood_down_reason,
        stood_down_by=cluster.stood_down_by,
        rivals=[Rival(name, epoch, name == manager_id) for name, epoch in sorted(cluster.rivals.items())],
        way_out=way_out or ("resume" if down else ""),
    )
