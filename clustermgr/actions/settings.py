"""Changing a VM's settings: the cluster's own at once, the host's through an operation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clustermgr.access import Actor, require
from clustermgr.actions._ledger import audit, change
from clustermgr.actions.operations import busy, give, must_be_managed, refuse
from clustermgr.core.findings import Finding, finding
from clustermgr.core.settings_rules import CLUSTER_FIELDS, FIELDS, HOST_FIELDS, LABELS, clean
from clustermgr.core.states import ACTIVE, NodeState, OperationKind
from clustermgr.core.words import state_word
from clustermgr.models import AuditEntry, Operation, Vm


def change_settings(
    *,
    actor: Actor,
    vm: Vm,
    version: int,
    changes: dict[str, Any],
    base: dict[str, Any] | None = None,
) -> Operation | None:
    """Change `memory_mib`, `vcpus`, `notes`, `offline_action`, `priority`.

    version -- `vm.config_version` when the form was opened; base -- the values that it showed then.
    A field that somebody else changed since is a conflict (409, nothing written); other fields merge.
    Returns the operation that applies the host's part, or None when only the cluster's own fields changed.
    Raises ActionRefused: 403, 409, 422 (a finding per field), 423.
    """
    require(actor, "change_settings")
    must_be_managed(actor, "change_settings", vm)
    node = vm.owner
    values, found = clean(changes, node=node.name, node_memory_mib=node.memory_mib, node_cpus=node.cpus)
    if found:
        raise refuse(actor, "change_settings", vm, *found, status=422)
    values = {name: value for name, value in values.items() if getattr(vm, name) != value}
    if version != vm.config_version and (clash := _conflicts(vm, values, base or {})):
        raise refuse(actor, "change_settings", vm, clash)
    if not values:
        raise refuse(actor, "change_settings", vm, finding("nothing_changed"))
    host = {name: value for name, value in values.items() if name in HOST_FIELDS}
    if host:
        _host_can(actor, vm)
    own = {name: value for name, value in values.items() if name in CLUSTER_FIELDS}
    if own:
        # The key goes with the operation, where there is one.
        _change_own(replace(actor, sent=None) if host else actor, vm, own)
    if not host:
        return None
    return give(
        actor=actor,
        kind=OperationKind.SETTINGS,
        vm=vm,
        source=node,
        target=node,
        params={"changes": host},
    )


def _conflicts(vm: Vm, values: dict[str, Any], base: dict[str, Any]) -> Finding | None:
    both = [name for name in values if name in FIELDS and str(base.get(name, "")) != str(getattr(vm, name))]
    if not both:
        return None
    last = AuditEntry.objects.filter(
        cluster_id=vm.cluster_id, subject=vm.name, verb__in=["change_settings", "settings"], accepted=True
    ).first()
    who = last.username if last else "Somebody"
    return finding("stale_form", who=who, fields=", ".join(LABELS[name] for name in both))


def _host_can(actor: Actor, vm: Vm) -> None:
    if Operation.objects.filter(vm=vm, state__in=ACTIVE).exists():
        raise busy(vm)
    if vm.owner.state != NodeState.UP:
        found = finding("node_silent", node=vm.owner.name, state=state_word(vm.owner.state))
        raise refuse(actor, "change_settings", vm, found)
    if "settings" not in vm.owner.capabilities:
        found = finding("no_verb", node=vm.owner.name, verb="change settings")
        raise refuse(actor, "change_settings", vm, found)


def _change_own(actor: Actor, vm: Vm, values: dict[str, Any]) -> None:
    fields = ", ".join(LABELS[name] for name in values)
    with change(vm.cluster_id) as tx:
        tx.update(vm, **values, config_version=vm.config_version + 1)
        tx.event("settings_changed", vm=vm, actor=actor.name, fields=fields)
        audit(
            actor, cluster_id=vm.cluster_id, verb="change_settings", subject=vm.name, accepted=True, **values
        )
