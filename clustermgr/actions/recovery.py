"""Recording what is done about VMs that failed: counts, the event with its reason, one operation each."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

from django.db import IntegrityError

from clustermgr.access import CLUSTER
from clustermgr.actions import claims
from clustermgr.actions._ledger import Change, change
from clustermgr.actions.operations import place
from clustermgr.core.placement import judge
from clustermgr.core.recovery import RETRY_AFTER_S, History, Plan, Remedy, plan
from clustermgr.core.sightings import frozen
from clustermgr.core.states import ACTIVE, Level, NodeState, OperationKind, Priority, VmState, Wanted
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster, Event, Node, Vm
from clustermgr.ports import clock
from clustermgr.queries.first_looks import why_not_yet
from clustermgr.queries.snapshot import cluster_view, vm_view

COUNTS = ("restarts", "restarts_since", "failovers", "failovers_since")
WORDS = {Remedy.RESTART: "restarted on its node", Remedy.FAIL_OVER: "started on another node"}


def failed_vms(cluster: Cluster) -> list[Vm]:
    """VMs that should run, failed, and that no order holds; not those that ran twice, which an administrator
    decides about. None in a cluster that stands down, or waits for the claim of its session."""
    if cluster.stood_down_at is not None:
        return []
    rows = Vm.objects.filter(cluster=cluster, state=VmState.FAILED, wanted=Wanted.RUNNING)
    free = rows.exclude(operations__state__in=ACTIVE).select_related("owner", "volume")
    found = [vm for vm in free if not frozen(vm.state_reason)]
    return [] if found and claims.unsettled(cluster.pk) else found


def recover(vm: Vm) -> bool:
    """Decide for one failed VM and record it. False when it is left as it is."""
    now = clock().now()
    if reason := why_not_yet(vm.cluster_id, vm.name):
        return _leave(vm, reason, now)
    if vm.priority == Priority.NO_AUTO_START:
        return _leave(vm, "its priority is No auto start; the cluster never starts it by itself", now)
    chosen = plan(
        _history(vm, now), nodes=vm.cluster.nodes.count(), can_restart_here=vm.owner.state == NodeState.UP
    )
    if chosen.remedy == Remedy.LEAVE:
        return _leave(vm, chosen.reason, now)
    target = vm.owner
    if chosen.remedy == Remedy.FAIL_OVER:
        if vm.owner.state != NodeState.UP:
            # What that node did with its copy nobody knows; only fencing could prove it off.
            return _leave(vm, f"{vm.owner.name} does not answer and may still run it", now)
        best = best_other(vm)
        if best is None:
            return _leave(vm, "no other node can take it now", now)
        target = best
    return _order(vm, target, chosen)


def best_other(vm: Vm, without: tuple[int, ...] = ()) -> Node | None:
    """The best node besides the VM's own and `without`, or None."""
    for verdict in judge(vm_view(vm), cluster_view(vm.cluster), OperationKind.RECOVERY):
        if not verdict.findings and verdict.node not in without:
            return Node.objects.get(pk=verdict.node)
    return None


def _order(vm: Vm, target: Node, chosen: Plan) -> bool:
    try:
        with change(vm.cluster_id) as tx:
            if not _count(tx, vm, chosen):
                return False  # another round decided meanwhile
            event = tx.event(
                "recovery_decided",
                level=Level.WARNING,
                vm=vm,
                node=target,
                cause=Event.objects.filter(vm=vm, code="vm_failed").first(),
                what=WORDS[chosen.remedy],
                reason=chosen.reason,
            )
            place(
                tx,
                actor=CLUSTER,
                kind=OperationKind.RECOVERY,
                vm=vm,
                source=vm.owner,
                target=target,
                reason=chosen.reason,
                cause=event,
            )
    except (IntegrityError, ActionRefused):
        return False  # an administrator's order was faster
    return True


def count(vm: Vm, chosen: Plan) -> None:
    """Count this restart or failover in its period."""
    with change(vm.cluster_id) as tx:
        _count(tx, vm, chosen)


def _count(tx: Change, vm: Vm, chosen: Plan) -> bool:
    """False when somebody counted since `vm` was read."""
    if chosen.remedy == Remedy.RESTART:
        name, anew = "restarts", chosen.new_restart_period
    else:
        name, anew = "failovers", chosen.new_failure_period
    values = {
        name: 1 if anew else getattr(vm, name) + 1,
        f"{name}_since": tx.now if anew else getattr(vm, f"{name}_since"),
    }
    as_read = {column: getattr(vm, column) for column in COUNTS}
    if not Vm.objects.filter(pk=vm.pk, **as_read).update(**values):
        return False
    for column, value in values.items():
        setattr(vm, column, value)
    tx.touch(vm)
    return True


def after_failed_restart(vm: Vm) -> Plan:
    """The restart on the node did not work: what the limits allow next."""
    now = clock().now()
    return plan(_history(vm, now), nodes=vm.cluster.nodes.count(), can_restart_here=False)


def _history(vm: Vm, now: datetime) -> History:
    return History(vm.restarts, _age(vm.restarts_since, now), vm.failovers, _age(vm.failovers_since, now))


def _age(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else (now - since).total_seconds()


def _leave(vm: Vm, reason: str, now: datetime) -> bool:
    """Say once why it is left failed; after an hour its counts start afresh."""
    reason = reason[:300]
    retry_at = vm.state_since + timedelta(seconds=RETRY_AFTER_S)
    # One that was removed from the cluster meanwhile is nobody's business any more.
    with contextlib.suppress(ActionRefused), change(vm.cluster_id) as tx:
        if vm.state_reason != reason:
            tx.update(vm, state_reason=reason)
            tx.event("vm_left_failed", level=Level.ERROR, vm=vm, node=vm.owner, reason=reason)
        elif now >= retry_at:
            tx.update(vm, restarts=0, restarts_since=None, failovers=0, failovers_since=None, state_since=now)
    return False
