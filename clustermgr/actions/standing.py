"""Whether a cluster is managed from here: standing down, resuming, taking over, and the rivals seen.

A cluster that stands down is looked at and not touched: no order, no automatic act (safety.md 7.2).
"""

from __future__ import annotations

from collections.abc import Sequence

from clustermgr.access import CLUSTER, Actor
from clustermgr.actions import claims
from clustermgr.actions._ledger import Change, audit, change
from clustermgr.actions.operations import ADMIT, URGENT, cancel_unbegun
from clustermgr.actions.rights import require
from clustermgr.core import names, stamps
from clustermgr.core.findings import field_finding, finding
from clustermgr.core.markers import Marker
from clustermgr.core.readings import Config
from clustermgr.core.stamps import Identity, Mark, Stamp, rivals
from clustermgr.core.states import Level, OperationState
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster, Installation, Node, Operation
from clustermgr.ports import new_id

ENGINE = claims.ENGINE
STAMP = claims.STAMP


def installation() -> Installation:
    """The one row, made when it is first needed."""
    return Installation.objects.get_or_create(pk=1, defaults={"manager_id": new_id()})[0]


def identity(cluster_id: int) -> Identity:
    """Who this installation is to the hosts of a cluster."""
    row = installation()
    overruled = Cluster.objects.values_list("overruled", flat=True).filter(pk=cluster_id).first() or {}
    return Identity(row.manager_id, row.epoch, overruled)


def stand_down(*, actor: Actor, cluster: Cluster, reason: str) -> Cluster:
    """Leave the cluster as it is until somebody resumes: orders that wait are cancelled, those under way go
    on to their end, nothing is done by itself. Nothing happens when it stands down already.

    Raises ActionRefused: 403, 422 (no reason given).
    """
    require(actor, "stand_down", cluster)
    reason = " ".join(reason.split())[:300]
    wrong = names.unseen(reason, "A reason has", "the reason")
    if not reason or wrong:
        said = field_finding("reason", wrong or "Say why: everybody who opens the cluster reads it.")
        raise ActionRefused(said, status=422)
    with change(cluster.pk) as tx:
        row = Cluster.objects.get(pk=cluster.pk)
        if row.stood_down_at is None:
            _down(tx, row, reason, by=actor.name)
            tx.event("stood_down", level=Level.WARNING, actor=actor.name, reason=reason)
            audit(actor, cluster_id=row.pk, verb="stand_down", subject=row.name, accepted=True, reason=reason)
    return row


def resume(*, actor: Actor, cluster: Cluster) -> Cluster:
    """Manage again what a person stood down. Nothing happens when it is managed.

    Raises ActionRefused: 403, 409 (it stood down by itself: only a take-over ends that).
    """
    require(actor, "resume_cluster", cluster)
    with change(cluster.pk) as tx:
        row = Cluster.objects.get(pk=cluster.pk)
        needed = row.stood_down_at is not None and not row.stood_down_by
        if row.stood_down_at is not None and not needed:
            _up(tx, row)
            claims.wait_again(row.pk)
            tx.event("resumed", actor=actor.name)
            audit(actor, cluster_id=row.pk, verb="resume_cluster", subject=row.name, accepted=True)
    if needed:
        raise _refused(actor, "resume_cluster", row, "take_over_needed")
    return row


def take_over(*, actor: Actor, cluster: Cluster, confirm: str) -> Cluster:
    """Manage the cluster from here and from nowhere else: the epoch is raised, claimed by a marker, and every
    machine stamped anew, at which an older twin stands down by itself. `confirm`: the cluster's name, typed.

    Raises ActionRefused: 403, 409 (nobody else is known), 422 (the name does not fit).
    """
    require(actor, "take_over", cluster)
    if confirm.strip() != cluster.name:
        wrong = field_finding("confirm", f"Type the name of the cluster, {cluster.name}, to take it over.")
        raise ActionRefused(wrong, status=422)
    with change(cluster.pk) as tx:
        row = Cluster.objects.get(pk=cluster.pk)
        possible = bool(row.rivals) or (row.stood_down_at is not None and not row.stood_down_by)
        if possible:
            epoch = _next_epoch(row)
            _up(tx, row, overruled={**row.overruled, **row.rivals})
            tx.event("taken_over", level=Level.WARNING, actor=actor.name, epoch=epoch)
            audit(actor, cluster_id=row.pk, verb="take_over", subject=row.name, accepted=True, epoch=epoch)
            claims.begin(row.pk, epoch, stamp_after=True)
            tx.enqueue(claims.CLAIM, row.pk, queue="default")
    if not possible:
        raise _refused(actor, "take_over", row, "nobody_to_take_over_from")
    return row


def rivals_seen(tx: Change, seen: Sequence[tuple[str, Stamp]], *, ours: bool) -> None:
    """Stamps of others were read: [(which machine on which node, its stamp)]. `ours`: on machines of this
    cluster, so it stands down; else they only keep their host out."""
    where, stamp = seen[0]
    reason = why(installation().manager_id, where, stamp) if ours else ""
    _not_alone(tx, [each for _, each in seen], reason)


def _not_alone(tx: Change, seen: Sequence[Stamp], reason: str) -> None:
    """Remember these managers and, with a reason, stand down; once."""
    row = Cluster.objects.get(pk=tx.cluster_id)
    known = [Stamp(name, epoch, "") for name, epoch in row.rivals.items()]
    found = rivals([*known, *seen])
    if found != row.rivals:
        tx.update(row, rivals=found)
        tx.touch("health")
    if not reason or (row.stood_down_at is not None and not row.stood_down_by):
        return
    _down(tx, row, reason, by="")
    tx.event("second_manager", level=Level.CRITICAL, reason=reason, actor=CLUSTER.name)


def copy_seen(tx: Change, volume: str, marker: Marker) -> None:
    """A marker of another copy of this installation was read: the cluster stands down (safety.md 7.2)."""
    reason = (
        f"Another copy of this very installation is at work: its marker (epoch {marker.epoch}, session "
        f"{marker.session}) lies on {volume}. End one of the two. To manage from here, end the other one, "
        "then take over management."
    )
    _not_alone(tx, [Stamp(marker.manager, marker.epoch, "")], reason)


def found_copy(cluster_id: int, volume: str, marker: Marker) -> None:
    """The same, in a transaction of its own."""
    with change(cluster_id) as tx:
        copy_seen(tx, volume, marker)


def knows(cluster_id: int, marker: Marker) -> bool:
    """Whether this copy's epoch is on record already."""
    found = Cluster.objects.values_list("rivals", flat=True).filter(pk=cluster_id).first() or {}
    return int(found.get(marker.manager, 0)) >= marker.epoch


def acts(cluster_id: int) -> bool:
    """Whether the cluster does anything by itself: it is managed from here, and no claim is awaited."""
    managed = Cluster.objects.filter(pk=cluster_id, stood_down_at__isnull=True).exists()
    return managed and not claims.unsettled(cluster_id)


def found_rivals(node: Node, seen: Sequence[tuple[str, Stamp]]) -> None:
    """The same, in a transaction of its own: [(machine, its stamp)] of the cluster's machines on a node."""
    with change(node.cluster_id) as tx:
        rivals_seen(tx, [(f"{name} on {node.name}", stamp) for name, stamp in seen], ours=True)


def why(own: str, where: str, stamp: Stamp) -> str:
    """The reason in words: which machine, and who else."""
    if stamp.manager == own:
        return f"{where} carries a newer stamp of this very installation (epoch {stamp.epoch})."
    return f"{where} carries the stamp of another manager ({stamp.manager}, epoch {stamp.epoch})."


def restored(tx: Change, cluster: Cluster, reason: str) -> None:
    """A database that was put back does not know what became of the world since."""
    _down(tx, cluster, reason, by="")
    tx.event("restored", level=Level.CRITICAL, reason=reason)


def _down(tx: Change, row: Cluster, reason: str, *, by: str) -> None:
    for operation in Operation.objects.filter(cluster=row, state=OperationState.QUEUED).select_related("vm"):
        cancel_unbegun(tx, CLUSTER, operation, f"Cancelled before it began: {row.name} stood down.")
    # After the orders: who ends one of them takes the cluster's row last, too.
    since = row.stood_down_at or tx.now
    tx.update(row, stood_down_at=since, stood_down_reason=reason[:300], stood_down_by=by)
    tx.touch("health")


def _up(tx: Change, row: Cluster, **values: object) -> None:
    # A rival may have been seen since the row was read; what was seen then is not wiped away.
    as_read = Cluster.objects.filter(pk=row.pk, stood_down_by=row.stood_down_by, rivals=row.rivals)
    if not as_read.update(rivals={}):
        raise ActionRefused(finding("take_over_needed", cluster=row.name), status=409)
    tx.update(row, stood_down_at=None, stood_down_reason="", stood_down_by="", rivals={}, **values)
    tx.touch("health")
    tx.enqueue(ADMIT, row.pk, queue=URGENT)
    tx.enqueue(ENGINE, row.pk, queue="engine")


def _next_epoch(row: Cluster) -> int:
    own = installation()
    own = Installation.objects.select_for_update().get(pk=own.pk)
    own.epoch = max(own.epoch, int(row.rivals.get(own.manager_id, 0))) + 1
    own.save(update_fields=["epoch"])
    return own.epoch


def _refused(actor: Actor, verb: str, row: Cluster, code: str) -> ActionRefused:
    refusal = ActionRefused(finding(code, cluster=row.name))
    audit(actor, cluster_id=row.pk, verb=verb, subject=row.name, accepted=False, answer=str(refusal))
    return refusal


def theirs(cluster_id: int, configs: Sequence[Config]) -> list[tuple[str, Stamp]]:
    """The machines among these that somebody else manages: (name, stamp)."""
    me = identity(cluster_id)
    read = ((config, *stamps.read(me, config.uuid, config.stamps)) for config in configs)
    return [
        (str(config.saved["name"]), stamp) for config, mark, stamp in read if mark == Mark.RIVAL and stamp
    ]


def kept_out(tx: Change, node: Node, found: Sequence[tuple[str, Stamp]]) -> None:
    """A host that joins has machines of another manager: none is adopted, and it stays Joining. Said once."""
    vms = named([name for name, _ in found])
    if not Node.objects.filter(pk=node.pk).exists():
        return  # evicted meanwhile
    reason = finding("foreign_host", node=node.name, vms=vms, cluster=node.cluster.name).sentence[:300]
    rivals_seen(tx, [(name, stamp) for name, stamp in found], ours=False)
    if node.state_reason != reason:
        tx.update(node, state_reason=reason)
        tx.event("foreign_host", level=Level.CRITICAL, node=node, vms=vms)


def named(names: Sequence[str], most: int = 5) -> str:
    """The first few of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
