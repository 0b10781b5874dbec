"""Where a cluster can leave its marker, and whether it has."""

from __future__ import annotations

from django.db.models import Case, IntegerField, When

from clustermgr.core.markers import ClaimState
from clustermgr.core.states import NodeState, VolumeKind
from clustermgr.models import Claim, Cluster, Node, VolumeAccess

#: Of a volume that many nodes reach, so many are asked.
MOST_NODES = 4
NOWHERE = "There is no shared volume with files that two nodes reach."


def places(cluster_id: int, before: str = "") -> list[tuple[str, list[Node]]]:
    """Shared volumes that two nodes or more reach, as last seen: (name, its nodes, those that are up first).
    The one named `before` comes first."""
    seen = VolumeAccess.objects.filter(
        volume__cluster=cluster_id, volume__kind=VolumeKind.CSV, active=True, reachable=True
    )
    seen = seen.exclude(volume__path="").exclude(volume__path__startswith="/dev/")
    up = Case(When(node__state=NodeState.UP, then=0), default=1, output_field=IntegerField())
    rows = seen.select_related("volume", "node__access").order_by("volume__name", up, "node__name")
    found: dict[str, list[Node]] = {}
    for row in rows:
        found.setdefault(row.volume.name, []).append(row.node)
    usable = [(name, nodes[:MOST_NODES]) for name, nodes in found.items() if len(nodes) > 1]
    return sorted(usable, key=lambda place: place[0] != before)


def unclaimed(cluster: Cluster) -> Claim | None:
    """The claim of this cluster that could not be made, where that is so."""
    claim: Claim | None = getattr(cluster, "claim", None)
    return claim if claim is not None and claim.state == ClaimState.IMPOSSIBLE else None
