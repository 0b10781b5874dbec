"""Changing a VM's settings: the cluster's own at once, the host's through an operation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import IntegrityError

from clustermgr.access import Actor
from clustermgr.actions._ledger import Change, audit, change
from clustermgr.actions.operations import busy, must_be_managed, place, refuse
from clustermgr.actions.rights import require
from clustermgr.core.findings import Finding, finding
from clustermgr.core.settings_rules import CLUSTER_FIELDS, FIELDS, HOST_FIELDS, LABELS, clean
from clustermgr.core.states import ACTIVE, NodeState, OperationKind
from clustermgr.core.words import state_word
from clustermgr.errors import ActionRefused
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
    A field that somebody else changed since is a conflict (409); other fields merge. All of it is written, or
    nothing.
    Returns the operation that applies the host's part, or None when only the cluster's own fields changed.
    Raises ActionRefused: 403, 409, 422 (a finding per field), 423.
    """
    require(actor, "change_settings", vm)
    must_be_managed(actor, "change_settings", vm)
    try:
        with change(vm.cluster_id) as tx:
            row = _locked(vm)
            values, found, status = _wanted(row, version, changes, base or {})
            held = (
                not found
                and _host_part(values)
                and Operation.objects.filter(vm=row, state__in=ACTIVE).exists()
            )
            if not found and not held:
                return _act(tx, actor, row, values)
    except IntegrityError:
        held = True  # an order was given in this moment
    if held:
        raise busy(actor, "change_settings", vm)
    raise refuse(actor, "change_settings", vm, *found, status=status)


def _locked(vm: Vm) -> Vm:
    """The role as it is now, and stays until the end of the transaction."""
    rows = Vm.objects.select_for_update(of=("self",), no_key=True).select_related("cluster", "owner")
    row = rows.filter(pk=vm.pk).first()
    if row is None:
        raise ActionRefused(finding("gone_meanwhile", what=vm.name), status=404)
    return row


def _wanted(
    vm: Vm, version: int, changes: dict[str, Any], base: dict[str, Any]
) -> tuple[dict[str, Any], list[Finding], int]:
    """What is to be changed; or why not, and with which status."""
    node = vm.owner
    values, found = clean(changes, node=node.name, node_memory_mib=node.memory_mib, node_cpus=node.cpus)
    if found:
        return {}, found, 422
    values = {name: value for name, value in values.items() if getattr(vm, name) != value}
    if version != vm.config_version and (clash := _conflicts(vm, values, base)):
        return {}, [clash], 409
    if not values:
        return {}, [finding("nothing_changed")], 409
    return values, _host_cannot(vm) if _host_part(values) else [], 409


def _host_part(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in HOST_FIELDS}


def _act(tx: Change, actor: Actor, vm: Vm, values: dict[str, Any]) -> Operation | None:
    host = _host_part(values)
    own = {name: value for name, value in values.items() if name in CLUSTER_FIELDS}
    if own:
        # The key goes with the operation, where there is one.
        _change_own(tx, replace(actor, sent=None) if host else actor, vm, own)
    if not host:
        return None
    kind, node = OperationKind.SETTINGS, vm.owner
    return place(tx, actor=actor, kind=kind, vm=vm, source=node, target=node, params={"changes": host})


def _conflicts(vm: Vm, values: dict[str, Any], base: dict[str, Any]) -> Finding | None:
    both = [name for name in values if name in FIELDS and str(base.get(name, "")) != str(getattr(vm, name))]
    if not both:
        return None
    last = AuditEntry.objects.filter(
        cluster_id=vm.cluster_id, subject=vm.name, verb__in=["change_settings", "settings"], accepted=True
    ).first()
    who = last.username if last else "Somebody"
    return finding("stale_form", who=who, fields=", ".join(LABELS[name] for name in both))


def _host_cannot(vm: Vm) -> list[Finding]:
    node = vm.owner
    if node.state != NodeState.UP:
        return [finding("node_silent", node=node.name, state=state_word(node.state))]
    if "settings" not in node.capabilities:
        return [finding("no_verb", node=node.name, verb="change settings")]
    return []


def _change_own(tx: Change, actor: Actor, vm: Vm, values: dict[str, Any]) -> None:
    fields = ", ".join(LABELS[name] for name in values)
    tx.update(vm, **values, config_version=vm.config_version + 1)
    tx.event("settings_changed", vm=vm, actor=actor.name, fields=fields)
    audit(actor, cluster_id=vm.cluster_id, verb="change_settings", subject=vm.name, accepted=True, **values)
