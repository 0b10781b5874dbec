"""The rows of orders that were sent with a key, each written with what its order changed, or not at all."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction

from clustermgr.access import Actor
from clustermgr.models import AuditEntry, OrderKey
from clustermgr.ports import clock

#: For this long, at least, an order sent again is answered and not done again.
KEPT = timedelta(days=7)
FORGOTTEN_AT_ONCE = 20


class Repeated(Exception):
    """Another request did the very same order in this moment: nothing was changed, and its answer counts."""


def known(actor: Actor) -> OrderKey | None:
    """What the actor's account ordered before under the key of this order."""
    if actor.sent is None:
        return None
    rows = OrderKey.objects.select_related("entry__cluster", "entry__operation__cluster")
    return rows.filter(account=actor.name, key=actor.sent.key).first()


def keep(actor: Actor, entry: AuditEntry | None, made: int | None = None) -> None:
    """Keep the key of an order in the transaction that does it. `made`: the id of what it made.

    On PostgreSQL the second of two such transactions waits here for the first. Raises Repeated.
    """
    if actor.sent is None:
        return
    now, sent = clock().now(), actor.sent
    try:
        with transaction.atomic():
            OrderKey.objects.create(
                account=actor.name, key=sent.key, digest=sent.digest, at=now, entry=entry, made=made
            )
    except IntegrityError:
        raise Repeated from None
    # Those that another transaction is forgetting are left to it: neither waits for the other.
    old = OrderKey.objects.select_for_update(skip_locked=True).filter(at__lt=now - KEPT).order_by("at")
    OrderKey.objects.filter(pk__in=[row.pk for row in old[:FORGOTTEN_AT_ONCE]]).delete()
