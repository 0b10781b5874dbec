"""What a volume is, where its hosts cannot know it, and which machines lie on it. Calls no host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clustermgr.access import Actor
from clustermgr.actions._ledger import Change, audit, change
from clustermgr.actions.rights import require
from clustermgr.core.findings import field_finding
from clustermgr.core.states import VolumeKind
from clustermgr.core.words import VOLUME_KINDS
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster, Node, Vm, Volume


def declare_ahead(*, actor: Actor, cluster: Cluster, name: str, kind: str) -> Volume:
    """Say what a volume is before any node showed it, as an import does."""
    require(actor, "declare_volume", cluster)
    said = {"kind": VolumeKind(kind), "declared": True}
    row, _ = Volume.objects.get_or_create(cluster=cluster, name=name, defaults=said)
    return row


def declare_volume(*, actor: Actor, volume: Volume, kind: str) -> Volume:
    """Say what a volume is: a pool over a directory or a volume group looks the same on every node, whether
    they share it or not. Nothing happens when that was said before.

    Raises ActionRefused: 403, 409 (the cluster stands down), 422 (no such kind).
    """
    require(actor, "declare_volume", volume)
    if kind not in list(VolumeKind):
        words = " or ".join(f"“{each}”" for each in VolumeKind)
        raise ActionRefused(field_finding("kind", f"A volume is {words}."), status=422)
    with change(volume.cluster_id) as tx:
        row = Volume.objects.select_for_update().get(pk=volume.pk)
        if (row.declared, row.kind) == (True, kind):
            return row
        audit(
            actor,
            cluster_id=row.cluster_id,
            verb="declare_volume",
            subject=row.name,
            accepted=True,
            kind=kind,
        )
        tx.update(row, kind=VolumeKind(kind), declared=True, owner=_owner(row, kind))
        tx.event("volume_declared", actor=actor.name, volume=row.name, kind=VOLUME_KINDS[kind])
    return row


def _owner(volume: Volume, kind: str) -> Node | None:
    if kind == VolumeKind.CSV:
        return None
    online = Node.objects.filter(volume_access__volume=volume, volume_access__active=True)
    return volume.owner or online.order_by("name").first()


def of_disks(volumes: Sequence[Volume], settings: Mapping[str, Any]) -> Volume | None:
    """The volume of the first disk that lies on one, by its pool or its path; or None."""
    for disk in settings.get("disks", ()):
        for volume in volumes:
            inside = volume.path and disk["path"].startswith(volume.path.rstrip("/") + "/")
            if disk["volume"] == volume.name or (not disk["volume"] and inside):
                return volume
    return None


def find_disks(tx: Change) -> None:
    """Machines whose volume was not known when they were taken in, or was not seen yet."""
    lost = list(Vm.objects.filter(cluster=tx.cluster_id, volume=None).defer("definition"))
    volumes = list(Volume.objects.filter(cluster=tx.cluster_id)) if lost else []
    for vm in lost:
        if (volume := of_disks(volumes, vm.settings)) is not None:
            tx.update(vm, volume=volume)
