"""The claim of a watch's session, as rows: its intent, its end, and whether acts wait for it.

Never calls a host: jobs/claims.py makes the marker. Each write is for one session; one that a later session
has overtaken changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from clustermgr.actions._ledger import Change, change
from clustermgr.actions.operations import ADMIT, DRIVE
from clustermgr.core.markers import WAITS, ClaimState, Session, next_session, waits
from clustermgr.core.states import OperationState
from clustermgr.models import Claim, Installation, Operation, WatchShard
from clustermgr.ports import clock, new_id
from clustermgr.queries.claims import NOWHERE, places

CLAIM = "clustermgr.jobs.claims.claim"
ENGINE = "clustermgr.jobs.engine.decide"
STAMP = "clustermgr.jobs.stamps.stamp_all"
NONCE_BITS = 20
#: Hosts that do not answer must not take one worker after the other.
BUSY = timedelta(seconds=20)
SETTLING = (ClaimState.OPEN, ClaimState.IMPOSSIBLE)


def begin(cluster_id: int, epoch: int, *, stamp_after: bool = False) -> None:
    """Write the intent of the next session, in the caller's transaction: a new watch, or a new epoch."""
    now = clock().now()
    new = {"epoch": epoch, "session": next_session(None, epoch), "since": now, "stamp_after": stamp_after}
    row, made = Claim.objects.select_for_update().get_or_create(cluster_id=cluster_id, defaults=new)
    if made:
        return
    # A watch that starts again and again beside a dead volume does not hold its cluster up for ever.
    again = row.state == ClaimState.OPEN and now - row.since < 2 * WAITS
    row.session = next_session((row.epoch, row.session), epoch)
    row.stamp_after = row.stamp_after or stamp_after or row.epoch != epoch
    row.epoch, row.nonces, row.state, row.reason = epoch, {}, ClaimState.OPEN, ""
    row.since, row.busy_until = row.since if again else now, None
    row.save(
        update_fields=[
            *("epoch", "session", "nonces", "state", "reason", "since", "stamp_after", "busy_until")
        ]
    )


def begin_unwatched() -> None:
    """A worker starts. Clusters that nobody watches get the intent of a session before anything is done for
    them: this may be the start of a copy, whose rows tell of a world of long ago. It is waited for as any."""
    now = clock().database_now()
    watched = WatchShard.objects.filter(lease_expires__gt=now).values("cluster")
    begun = Q(state=ClaimState.OPEN, since__gt=clock().now() - WAITS)
    rows = Claim.objects.exclude(begun).exclude(cluster__in=watched)
    for cluster_id in rows.values_list("cluster", flat=True):
        with transaction.atomic(durable=True):
            begin(cluster_id, Installation.objects.get(pk=1).epoch)


def unsettled(cluster_id: int) -> bool:
    """Whether what the cluster would do waits: a copy of this installation may be at work, and it takes a
    moment to see that. Never for longer than WAITS."""
    row = Claim.objects.filter(cluster=cluster_id).only("state", "since").first()
    return row is not None and waits(row.state, row.since, clock().now())


def wait_again(cluster_id: int) -> None:
    """The cluster is managed again: an intent of meanwhile is waited for from now on."""
    Claim.objects.filter(cluster=cluster_id, state=ClaimState.OPEN).update(since=clock().now())


def wanted(cluster_id: int) -> Claim | None:
    """The claim that is to be made, for this worker alone until `leave`, or for BUSY. None when it is held,
    when another worker is at it, or when the cluster stands down."""
    now = clock().database_now()
    rows = Claim.objects.filter(cluster=cluster_id, state__in=SETTLING, cluster__stood_down_at__isnull=True)
    free = Q(busy_until__isnull=True) | Q(busy_until__lte=now)
    if not rows.filter(free).update(busy_until=now + BUSY):
        return None
    return Claim.objects.filter(cluster=cluster_id).first()


def leave(claim: Claim) -> None:
    """This worker is done with it, for this time."""
    rows = Claim.objects.filter(pk=claim.pk, epoch=claim.epoch, session=claim.session)
    rows.update(busy_until=None)


def session(claim: Claim) -> Session:
    manager = Installation.objects.values_list("manager_id", flat=True).get(pk=1)
    return Session(manager, claim.cluster_id, claim.epoch, claim.session, claim.nonces)


def nonce_for(claim: Claim, node_id: int) -> int | None:
    """What a marker made through this node carries, committed before the call. None: a later one began."""
    with transaction.atomic(durable=True):
        row = _same(claim)
        if row is None:
            return None
        if str(node_id) not in row.nonces:
            row.nonces[str(node_id)] = int(new_id(), 16) % (1 << NONCE_BITS)
            row.save(update_fields=["nonces"])
        claim.nonces = row.nonces
    return int(row.nonces[str(node_id)])


def renew(claim: Claim) -> bool:
    """Read again what markers of this session carry: another worker may make it as well. False: a later
    session began."""
    nonces = Claim.objects.values_list("nonces", flat=True)
    claim.nonces = nonces.filter(pk=claim.pk, epoch=claim.epoch, session=claim.session).first() or {}
    return bool(claim.nonces)


def held(claim: Claim, volume: str) -> None:
    """The marker stands, and a second node sees it."""
    with change(claim.cluster_id) as tx:
        row = _same(claim)
        if row is not None and row.state != ClaimState.HELD:
            _settle(tx, row, state=ClaimState.HELD, reason="", volume=volume)


def not_held(claim: Claim, reason: str) -> None:
    """This time it was not made. Final, for now, where no volume is fit for it or after WAITS."""
    nowhere = not places(claim.cluster_id)
    reason = (NOWHERE if nowhere else reason)[:300]
    with change(claim.cluster_id) as tx:
        row = _same(claim)
        if row is None or row.state == ClaimState.HELD:
            return
        late = nowhere or row.state == ClaimState.IMPOSSIBLE or tx.now - row.since >= WAITS
        if late and (row.state, row.reason) != (ClaimState.IMPOSSIBLE, reason):
            _settle(tx, row, state=ClaimState.IMPOSSIBLE, reason=reason)


def _same(claim: Claim) -> Claim | None:
    """The row, locked, if it is still of this session."""
    rows = Claim.objects.select_for_update().filter(pk=claim.pk, epoch=claim.epoch, session=claim.session)
    return rows.first()


def _settle(tx: Change, row: Claim, **values: object) -> None:
    """What waited goes on; the pages that said so are old."""
    waited, stamp = row.state == ClaimState.OPEN, row.stamp_after
    Claim.objects.filter(pk=row.pk).update(stamp_after=False, **values)
    tx.touch("health")
    if stamp:
        tx.enqueue(STAMP, row.cluster_id, queue="default")
    if waited:
        queued = Operation.objects.filter(cluster=row.cluster_id, state=OperationState.QUEUED)
        for operation in queued.values_list("pk", flat=True):
            tx.enqueue(DRIVE, operation)
        tx.enqueue(ADMIT, row.cluster_id)
        tx.enqueue(ENGINE, row.cluster_id, queue="engine")
