"""Hosts as nodes: added after a good test, reached in another way, evicted. Calls no host."""

from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError
from django.db.models import ProtectedError

from clustermgr.access import Actor
from clustermgr.actions._ledger import Change, audit, change
from clustermgr.actions.candidates import WHY, against
from clustermgr.actions.rights import require
from clustermgr.core.findings import Finding, field_finding, finding
from clustermgr.core.states import CandidateState, Level, NodeState
from clustermgr.errors import ActionRefused
from clustermgr.models import Candidate, Network, Node, NodeAccess, Operation, Vm, Volume
from clustermgr.queries.membership import in_the_way


def add(*, actor: Actor, candidate: Candidate) -> Node:
    """Make a node of a host whose test came to a good end: Joining, until the watch has read it whole.

    A test that was used answers with the node that it made. Raises ActionRefused: 403, 409 (not ready, or the
    host became a node meanwhile).
    """
    require(actor, "add_node", candidate)
    return _with(actor, "add_node", candidate, lambda tx, row: _add(tx, actor, row))


def change_access(*, actor: Actor, node: Node, candidate: Candidate) -> Node:
    """Reach a node in the way that `candidate`, a test of this node, found good. Watch and jobs sign in anew.

    Raises ActionRefused: 403, 409 (another node's test, not ready, another host answers).
    """
    require(actor, "change_access", node)
    if candidate.node_id != node.pk:
        raise _refuse(actor, "change_access", node, _of_other(candidate))
    return _with(actor, "change_access", candidate, lambda tx, row: _change_access(tx, actor, row))


def evict(*, actor: Actor, node: Node, typed: str) -> None:
    """Let a node go that owns, holds and does nothing; also one that is down, also the last. Its host is left
    as it is. `typed`: the node's name. Events keep its name, and tasks, too.

    Raises ActionRefused: 403, 404 (gone already), 409 (every reason against), 422 (another name typed).
    """
    require(actor, "evict_node", node)
    if typed.strip() != node.name:
        wrong = field_finding("typed", f"Type the node's name, {node.name}, to evict it.")
        raise _refuse(actor, "evict_node", node, wrong, status=422)
    found: list[Finding] = []
    try:
        with change(node.cluster_id) as tx:
            row = Node.objects.select_for_update().select_related("cluster").filter(pk=node.pk).first()
            if row is None:
                raise ActionRefused(finding("unknown_node", node=node.name, cluster=node.cluster), status=404)
            found = in_the_way(row)
            if not found:
                _let_go(tx, actor, row)
    except (IntegrityError, ProtectedError):
        # An order or an adoption came between the look and the act; the database kept what it needs.
        found = in_the_way(node) or [finding("node_changed", node=node.name)]
    if found:
        raise _refuse(actor, "evict_node", node, *found)


def place(tx: Change, actor: Actor, **values: object) -> Node:
    """The rows of a new node: Joining until its host was read."""
    node = Node.objects.create(**values, state=NodeState.JOINING, state_since=tx.now)
    tx.event("node_added", node=node, actor=actor.name)
    tx.touch(node, "nodes")
    audit(
        actor,
        cluster_id=node.cluster_id,
        verb="add_node",
        subject=node.name,
        accepted=True,
        made=node.pk,
        address=node.address,
    )
    return node


def _with(actor: Actor, verb: str, candidate: Candidate, act: Callable[[Change, Candidate], Node]) -> Node:
    """Use a test once, under its lock; twice is the same answer."""
    found: list[Finding] = []
    try:
        with change(candidate.cluster_id) as tx:
            rows = Candidate.objects.select_for_update(of=("self",)).select_related("cluster", "node")
            row = rows.filter(pk=candidate.pk).first()
            if row is None:
                gone = finding("unknown_test", test=candidate.pk, cluster=candidate.cluster)
                raise ActionRefused(gone, status=404)
            if row.state == CandidateState.USED and row.node is not None:
                return row.node
            found = _unready(row, verb) or against(row)
            if not found:
                node = act(tx, row)
                Candidate.objects.filter(pk=row.pk).update(
                    state=CandidateState.USED, node=node, credentials=""
                )
                return node
    except IntegrityError:
        # Another administrator made a node of the same host or name in this moment.
        found = against(candidate) or [
            finding("test_not_ready", address=candidate.address, why="must be repeated")
        ]
    raise _refuse(actor, verb, candidate, *found)


def _unready(row: Candidate, verb: str) -> list[Finding]:
    if (row.node_id is not None) != (verb == "change_access"):
        return [_of_other(row)]
    if row.state != CandidateState.READY:
        return [finding("test_not_ready", address=row.address, why=WHY[CandidateState(row.state)])]
    return []


def _of_other(row: Candidate) -> Finding:
    return finding("test_of_other", what=f"the node {row.node}" if row.node_id else f"a new node, {row.name}")


def _add(tx: Change, actor: Actor, row: Candidate) -> Node:
    node = place(
        tx,
        actor,
        cluster=row.cluster,
        name=row.name,
        driver=row.driver,
        address=row.address,
        migration_address=row.migration_address,
        host_uuid=row.host_uuid,
    )
    _keep_access(tx, actor, row, node)
    return node


def _change_access(tx: Change, actor: Actor, row: Candidate) -> Node:
    node = Node.objects.select_for_update().get(pk=row.node_id)
    tx.update(
        node,
        driver=row.driver,
        address=row.address,
        migration_address=row.migration_address,
        host_uuid=node.host_uuid or row.host_uuid,
    )
    _keep_access(tx, actor, row, node)
    words = {"address": row.address, "means": row.means}
    tx.event("access_changed", node=node, actor=actor.name, words=words)
    audit(actor, cluster_id=node.cluster_id, verb="change_access", subject=node.name, accepted=True, **words)
    return node


def _keep_access(tx: Change, actor: Actor, row: Candidate, node: Node) -> None:
    values = {
        "credentials": row.credentials,
        "means": row.means,
        "host_key": row.host_key,
        "changed_at": tx.now,
        "changed_by": actor.name,
    }
    NodeAccess.objects.update_or_create(node=node, defaults=values)


def _let_go(tx: Change, actor: Actor, node: Node) -> None:
    """History keeps names; what only this host had goes with it."""
    Operation.objects.filter(source=node).update(gone_source=node.name)
    Operation.objects.filter(target=node).update(gone_target=node.name)
    _forget_owners(node)
    mine = Volume.objects.filter(cluster=node.cluster_id, access__node=node, vms=None)
    mine.exclude(pk__in=Volume.objects.filter(access__node__in=_others(node))).filter(declared=False).delete()
    Volume.objects.filter(owner=node).update(owner=None)
    tx.touch(node, "nodes")
    where = {"address": node.address, "host_uuid": node.host_uuid}
    tx.event("node_evicted", level=Level.WARNING, actor=actor.name, words={"node": node.name, **where})
    audit(actor, cluster_id=node.cluster_id, verb="evict_node", subject=node.name, accepted=True, **where)
    node.delete()
    Network.objects.filter(cluster=node.cluster_id, nodes=None).delete()


def _others(node: Node) -> list[int]:
    others = Node.objects.filter(cluster=node.cluster_id).exclude(pk=node.pk)
    return list(others.values_list("pk", flat=True))


def _forget_owners(node: Node) -> None:
    """A role that might run on this node alone keeps its mark: it may still run nowhere else."""
    for vm in Vm.objects.filter(cluster=node.cluster_id).only("preferred_owners", "possible_owners"):
        preferred = [pk for pk in vm.preferred_owners if pk != node.pk]
        possible = [pk for pk in vm.possible_owners if pk != node.pk] or vm.possible_owners
        if (preferred, possible) != (vm.preferred_owners, vm.possible_owners):
            Vm.objects.filter(pk=vm.pk).update(preferred_owners=preferred, possible_owners=possible)


def _refuse(
    actor: Actor, verb: str, subject: Node | Candidate, *found: Finding, status: int = 409
) -> ActionRefused:
    answer = " ".join(each.sentence for each in found)
    audit(
        actor,
        cluster_id=subject.cluster_id,
        verb=verb,
        subject=subject.name,
        accepted=False,
        answer=answer,
    )
    return ActionRefused(*found, status=status)
