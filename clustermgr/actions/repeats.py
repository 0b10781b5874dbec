"""An order that is sent again under the same key is answered as before, and done once. For every entrance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.db import transaction

from clustermgr.access import Actor, Sent
from clustermgr.actions._ledger import audit
from clustermgr.actions._order_keys import Repeated, keep, known
from clustermgr.core.findings import finding
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster, Operation, OrderKey

Answer = TypeVar("Answer")
NOTHING = "one that found nothing to change"


@dataclass(frozen=True, slots=True)
class Kept:
    """What an order led to: its operation, its cluster, or `made`, the id of what else it made or changed."""

    operation: Operation | None
    cluster: Cluster | None
    made: int | None


def sent(actor: Actor, key: str, *said: Any) -> Actor:
    """The same actor with the order of this request. `said`: what is ordered, of what, and all its values."""
    text = json.dumps(said, sort_keys=True, default=str)
    return replace(actor, sent=Sent(key, hashlib.sha256(text.encode()).hexdigest()))


def once(actor: Actor, act: Callable[[], Answer], again: Callable[[Kept], Answer]) -> Answer:
    """What `act` answers. When this very order was done before, or by another request meanwhile, `again`
    answers from what was kept of it; also when it has failed since: to try anew is another order.

    Raises ActionRefused: 409 when the key was sent with another order, else what `act` raises.
    """
    if actor.sent is None:
        return act()
    if (kept := _same(actor)) is not None:
        return again(_kept(kept))
    try:
        answer = act()
    except (ActionRefused, Repeated):
        if (kept := _same(actor)) is None:
            raise
        return again(_kept(kept))
    if known(actor) is None:
        # It found everything as it was wanted. Sent again it changes nothing either, whatever happened since.
        with suppress(Repeated), transaction.atomic():
            keep(actor, None)
    return answer


def _kept(row: OrderKey) -> Kept:
    entry = row.entry
    return Kept(entry.operation if entry else None, entry.cluster if entry else None, row.made)


def _same(actor: Actor) -> OrderKey | None:
    kept = known(actor)
    if kept is None or actor.sent is None or kept.digest == actor.sent.digest:
        return kept
    entry = kept.entry
    what = f"{entry.verb.replace('_', ' ')} of {entry.subject}" if entry else NOTHING
    found = finding("repeated_key", what=what, at=f"{kept.at:%Y-%m-%d %H:%M:%S} UTC")
    audit(
        replace(actor, sent=None),
        cluster_id=entry.cluster_id if entry else None,
        verb="repeated_key",
        subject=entry.subject if entry else "",
        accepted=False,
        answer=found.sentence,
    )
    raise ActionRefused(found, operation=entry.operation_id if entry else None)
