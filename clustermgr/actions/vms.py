"""Orders on virtual machines: each checks rights and preconditions, then writes an operation."""

from __future__ import annotations

from clustermgr.access import Actor, verb_of
from clustermgr.actions.operations import busy, give, must_be_managed, refuse
from clustermgr.actions.rights import require
from clustermgr.actions.settings import change_settings
from clustermgr.core.findings import Finding, finding
from clustermgr.core.placement import judge, obstacles
from clustermgr.core.saving import no_place
from clustermgr.core.states import ACTIVE, NodeState, OfflineAction, OperationKind, VmState
from clustermgr.core.words import state_word
from clustermgr.models import Node, Operation, Vm
from clustermgr.queries.snapshot import cluster_view, vm_view

STARTABLE = (VmState.OFF, VmState.SAVED, VmState.FAILED, VmState.PAUSED)


def live_migrate(*, actor: Actor, vm: Vm, target: Node | None = None) -> Operation:
    """Move a running VM while it runs, to `target` or the best node. Refused unless its node is up."""
    return _planned(actor, OperationKind.LIVE_MIGRATION, vm, target, {})


def quick_migrate(*, actor: Actor, vm: Vm, target: Node | None = None) -> Operation:
    """Save a running VM to its volume and restore it on another node."""
    return _planned(actor, OperationKind.QUICK_MIGRATION, vm, target, {})


def move(
    *,
    actor: Actor,
    vm: Vm,
    target: Node | None = None,
    offline_action: str | None = None,
) -> Operation:
    """Take a VM offline by its offline action (or this once by another) and bring it up elsewhere."""
    action = OfflineAction(offline_action or vm.offline_action)
    return _planned(actor, OperationKind.MOVE, vm, target, {"offline_action": action.value})


def start(*, actor: Actor, vm: Vm) -> Operation:
    """Start an off, saved or failed VM on its node; resume a paused one."""
    return _power(actor, OperationKind.START, vm, STARTABLE, "off, saved, failed or paused", {})


def shut_down(*, actor: Actor, vm: Vm, forced: bool = False) -> Operation:
    """Ask the guest to shut down. `forced`: without waiting for slow processes."""
    kind = OperationKind.SHUT_DOWN
    return _power(actor, kind, vm, (VmState.RUNNING,), "running", {"forced": forced})


def turn_off(*, actor: Actor, vm: Vm) -> Operation:
    """Cut the power. The guest is not asked; data may be lost."""
    states = (VmState.RUNNING, VmState.PAUSED, VmState.PAUSED_CRITICAL)
    return _power(actor, OperationKind.TURN_OFF, vm, states, "running or paused", {})


def save(*, actor: Actor, vm: Vm) -> Operation:
    """Write the VM's memory to its volume and stop it; a start restores it."""
    states = (VmState.RUNNING, VmState.PAUSED)
    return _power(actor, OperationKind.SAVE, vm, states, "running or paused", {})


def _planned(
    actor: Actor,
    kind: OperationKind,
    vm: Vm,
    target: Node | None,
    params: dict[str, object],
) -> Operation:
    verb = verb_of(kind)
    require(actor, verb, vm)
    must_be_managed(actor, verb, vm)
    if Operation.objects.filter(vm=vm, state__in=ACTIVE).exists():
        raise busy(actor, verb, vm)
    if found := _source_obstacles(vm, kind) or _no_place(vm, kind, params):
        raise refuse(actor, verb, vm, *found)
    target = target or _best(actor, vm, kind)
    if target.cluster_id != vm.cluster_id:
        found = [finding("unknown_node", node=target.name, cluster=vm.cluster.name)]
        raise refuse(actor, verb, vm, *found, status=404)
    view = cluster_view(vm.cluster)
    if found := list(obstacles(vm_view(vm), view.nodes[target.pk], view, kind)):
        raise refuse(actor, verb, vm, *found)
    return give(actor=actor, kind=kind, vm=vm, source=vm.owner, target=target, params=params)


def _source_obstacles(vm: Vm, kind: OperationKind) -> list[Finding]:
    # Live and quick migration are for planned moves only, and every move needs a source that answers:
    # what a silent node did with its copy nobody knows (requirement R9, safety.md 1).
    node = vm.owner
    if node.state != NodeState.UP:
        return [finding("source_not_up", node=node.name, state=state_word(node.state))]
    if kind in (OperationKind.LIVE_MIGRATION, OperationKind.QUICK_MIGRATION):
        if vm.state != VmState.RUNNING:
            return [_wrong_state(vm, kind, "running")]
        if kind == OperationKind.QUICK_MIGRATION and "save" not in node.capabilities:
            return [finding("no_verb", node=node.name, verb="quick migration")]
        return []
    if vm.state not in (VmState.RUNNING, VmState.OFF, VmState.SAVED, VmState.FAILED):
        return [_wrong_state(vm, kind, "running, off or saved")]
    if vm.state == VmState.SAVED and not vm.saved_file:
        return [finding("saved_on_host", vm=vm.name, node=node.name)]
    return []


def _best(actor: Actor, vm: Vm, kind: OperationKind) -> Node:
    verdicts = judge(vm_view(vm), cluster_view(vm.cluster), kind)
    if verdicts and not verdicts[0].findings:
        return Node.objects.get(pk=verdicts[0].node)
    reasons = " ".join(v.findings[0].sentence for v in verdicts if v.node != vm.owner_id)
    raise refuse(actor, verb_of(kind), vm, finding("no_target", vm=vm.name, reasons=reasons))


def _power(
    actor: Actor,
    kind: OperationKind,
    vm: Vm,
    states: tuple[VmState, ...],
    needed: str,
    params: dict[str, object],
) -> Operation:
    require(actor, kind.value, vm)
    must_be_managed(actor, kind.value, vm)
    if Operation.objects.filter(vm=vm, state__in=ACTIVE).exists():
        raise busy(actor, kind.value, vm)
    if vm.owner.state != NodeState.UP:
        silent = finding("node_silent", node=vm.owner.name, state=state_word(vm.owner.state))
        raise refuse(actor, kind.value, vm, silent)
    if vm.state not in states:
        raise refuse(actor, kind.value, vm, _wrong_state(vm, kind, needed))
    if found := _no_place(vm, kind, params):
        raise refuse(actor, kind.value, vm, *found)
    return give(actor=actor, kind=kind, vm=vm, source=vm.owner, target=vm.owner, params=params)


def _no_place(vm: Vm, kind: OperationKind, params: dict[str, object]) -> list[Finding]:
    """An order that saves the VM's memory needs a place for it. One that is off has none to save."""
    saves = kind in (OperationKind.SAVE, OperationKind.QUICK_MIGRATION)
    by_save = params.get("offline_action") == OfflineAction.SAVE and vm.state == VmState.RUNNING
    if not (saves or by_save):
        return []
    volume = vm.volume
    found = no_place(vm.name, volume.name if volume else None, volume.path if volume else "", kind)
    return [found] if found else []


def _wrong_state(vm: Vm, kind: OperationKind, needed: str) -> Finding:
    verb = kind.value.replace("_", " ")
    return finding("wrong_state", vm=vm.name, state=state_word(vm.state), verb=verb, needed=needed)


__all__ = [
    "change_settings",
    "live_migrate",
    "move",
    "quick_migrate",
    "save",
    "shut_down",
    "start",
    "turn_off",
]
