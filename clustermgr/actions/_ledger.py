"""The one way in which rows change: a transaction that ends with the cluster's version, and then the news.

The version row is taken as the *last* statement of the outermost transaction, so that order of commit is
order of version; taken earlier it costs throughput or deadlocks (design.md 7).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import F

from clustermgr import notices
from clustermgr.access import Actor
from clustermgr.actions import _order_keys, _tally
from clustermgr.core.events import sentence
from clustermgr.core.findings import Finding, finding
from clustermgr.core.states import OPERATION_TRANSITIONS, SETTLED, Level, OperationState, VmState
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Cluster, Event, Node, Operation, Vm
from clustermgr.ports import clock, runner

log = logging.getLogger(__name__)
#: How loud an event is in the log.
LOUDNESS = {Level.WARNING: logging.WARNING, Level.ERROR: logging.ERROR, Level.CRITICAL: logging.CRITICAL}
#: Orders that a cluster takes while it stands down: they end what runs, lead out of it, or help to see.
WHILE_DOWN = frozenset(
    {"cancel", "stand_down", "resume_cluster", "take_over", "evict_node", "test_connection", "change_access"}
)
#: Without a process and without its memory: the next start takes everything as it is agreed.
ENDED = (VmState.OFF, VmState.FAILED)


class Change:
    """One transaction under way: what it touched, and what is to be woken when it is committed."""

    def __init__(self, cluster_id: int) -> None:
        self.cluster_id = cluster_id
        self.now = clock().now()
        self.subjects: dict[str, None] = {}
        self.wakes: list[tuple[str, tuple[object, ...], str]] = []
        self.settled: list[Operation] = []
        self.events: list[Event] = []

    def touch(self, *rows: Any) -> None:
        """Name rows (or bare subjects such as "events") whose screens are old after this commit."""
        for row in rows:
            if row is not None:
                name = row if isinstance(row, str) else f"{row._meta.model_name}:{row.pk}"
                self.subjects[name] = None

    def enqueue(self, task: str, *args: object, queue: str = "operations") -> None:
        """Wake a job after the commit."""
        self.wakes.append((task, args, queue))

    def update(self, row: Any, **values: Any) -> None:
        """Set columns of one row that this transaction knows to be current. Raises ActionRefused (404) when
        it left meanwhile."""
        for name, value in values.items():
            setattr(row, name, value)
        if not type(row).objects.filter(pk=row.pk).update(**values):
            raise ActionRefused(finding("gone_meanwhile", what=row), status=404)
        self.touch(row)

    def advance(self, operation: Operation, *, to: OperationState, **values: Any) -> bool:
        """Move an operation to another state; False when somebody else moved it first."""
        state = OperationState(operation.state)
        if to not in OPERATION_TRANSITIONS[state]:
            return False
        done = Operation.objects.filter(pk=operation.pk, state=state).update(state=to, **values)
        if done:
            for name, value in {"state": to, **values}.items():
                setattr(operation, name, value)
            self.touch(operation)
            self.settled.extend([operation] if to in SETTLED else [])
        return bool(done)

    def event(
        self,
        code: str,
        *,
        level: Level = Level.INFO,
        vm: Vm | None = None,
        node: Node | None = None,
        operation: Operation | None = None,
        actor: str = "",
        cause: Event | None = None,
        words: Mapping[str, object] | None = None,
        **params: object,
    ) -> Event:
        """Record what happened. `vm` and `node` are named in the sentence as well; see core.events."""
        names = {"vm": vm.name if vm else None, "node": node.name if node else None}
        params = {name: value for name, value in names.items() if value} | params | dict(words or {})
        row = Event.objects.create(
            cluster_id=self.cluster_id,
            at=self.now,
            level=level,
            code=code,
            params=params,
            vm=vm,
            node=node,
            operation=operation,
            actor=actor,
            cause=cause,
        )
        self.touch("events")
        self.events.append(row)
        return row

    def set_vm_state(self, vm: Vm, state: str, reason: str = "", **values: Any) -> None:
        """The VM's state as observed now; `state_since` moves only when the word changes."""
        if vm.state != state:
            values["state_since"] = self.now
        if vm.pending and state in ENDED:
            values["pending"] = {}
        self.update(vm, state=state, state_reason=reason[:300], observed_at=self.now, **values)


class StoodDown(ActionRefused):
    """The cluster is looked at and not touched. `entry`: the order, to be audited as refused."""

    def __init__(self, cluster: Cluster, entry: Mapping[str, Any]) -> None:
        super().__init__(stood_down(cluster))
        self.entry = entry


def stood_down(cluster: Cluster) -> Finding:
    """The sentence with the reason and the fix."""
    return finding("stood_down", cluster=cluster.name, reason=cluster.stood_down_reason)


@contextmanager
def change(cluster_id: int) -> Iterator[Change]:
    """`with change(cluster.pk) as tx:` one durable transaction; news and wake-ups follow its commit.

    An order that `audit` refuses because the cluster stood down leaves nothing but its audit entry.
    """
    try:
        with _transaction(cluster_id) as tx:
            yield tx
    except StoodDown as refusal:
        audit(**{**refusal.entry, "accepted": False, "answer": str(refusal), "operation": None})
        raise


@contextmanager
def _transaction(cluster_id: int) -> Iterator[Change]:
    tx = Change(cluster_id)
    with transaction.atomic(durable=True):
        yield tx
        # As late as the version, and for the same reason.
        _tally.count(tx.settled)
        if tx.subjects:
            Cluster.objects.filter(pk=cluster_id).update(version=F("version") + 1)
            version = Cluster.objects.values_list("version", flat=True).get(pk=cluster_id)
            news = notices.Changed(cluster_id, version, tuple(tx.subjects))
            _after_commit(notices.publish, [news])
        _after_commit(_write_down, tx.events)
        for task, args, queue in tx.wakes:
            _after_commit(runner().enqueue, task, *args, queue=queue)


def _write_down(events: list[Event]) -> None:
    """What happened, in the log as well: from the order to the end, in whichever process."""
    for event in events:
        about = {
            "operation": event.operation_id,
            "vm": event.vm.name if event.vm else "",
            "node": event.node.name if event.node else "",
            "user": event.actor,
        }
        text = sentence(event.code, event.params)
        log.log(LOUDNESS.get(Level(event.level), logging.INFO), "%s", text, extra={"about": about})


def _after_commit(call: Callable[..., Any], *args: Any, **named: Any) -> None:
    # Not a partial: when Redis is away Django logs the callback's name, and a partial has none.
    transaction.on_commit(lambda: call(*args, **named), robust=True)


def audit(
    actor: Actor,
    *,
    cluster_id: int | None,
    verb: str,
    subject: str,
    accepted: bool,
    answer: str = "",
    operation: Operation | None = None,
    made: int | None = None,
    **params: object,
) -> AuditEntry:
    """Who ordered what, from where, and the answer; written for refusals too. Every order comes through here,
    so that none is accepted in a cluster that stood down (StoodDown), and its key is kept with it.

    made -- the id of what the order made, for the answer to the same order sent again.
    Raises Repeated for an order that another request does, or has done, under the same key.
    """
    if accepted and cluster_id is not None and verb not in WHILE_DOWN:
        cluster = Cluster.objects.get(pk=cluster_id)
        if cluster.stood_down_at is not None:
            order = {"actor": actor, "cluster_id": cluster_id, "verb": verb, "subject": subject, **params}
            raise StoodDown(cluster, order)
    if not accepted and _order_keys.known(actor) is not None:
        raise _order_keys.Repeated  # what stands in its way is what it did itself
    entry = AuditEntry.objects.create(
        cluster_id=cluster_id,
        at=clock().now(),
        user=actor.user,
        username=actor.name,
        origin=actor.origin,
        verb=verb,
        subject=subject[:200],
        params=params,
        accepted=accepted,
        answer=answer[:500],
        operation=operation,
    )
    if accepted:
        _order_keys.keep(actor, entry, made)
    return entry
