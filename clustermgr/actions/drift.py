"""Refresh: taking a host's configuration of a VM into the cluster's copy, all of it or field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clustermgr.access import Actor
from clustermgr.actions._ledger import Change, audit, change
from clustermgr.actions.operations import busy, must_be_managed, refuse
from clustermgr.actions.rights import require
from clustermgr.actions.seen_vms import columns
from clustermgr.core.drift import FIELDS, OTHER, Bucket, pending
from clustermgr.core.findings import Finding, field_finding, finding
from clustermgr.core.states import ACTIVE
from clustermgr.errors import ActionRefused
from clustermgr.models import Drift, Operation, Vm


def accept(*, actor: Actor, vm: Vm, fingerprint: str, fields: Sequence[str] | None = None) -> Vm:
    """Take the host's values of `fields` (None: of every field that differs) into the cluster's copy.

    fingerprint -- of the host's configuration that the person saw; another one by now is refused (409).
    Fields not named stay drifted. The definition follows when nothing is left to decide.
    Raises ActionRefused: 403, 409 (in step, or changed again), 422 (an unknown field, a name taken), 423.
    """
    require(actor, "refresh", vm)
    must_be_managed(actor, "refresh", vm)
    found: Finding | None = None
    status, held = 409, False
    with change(vm.cluster_id) as tx:
        row = Vm.objects.select_for_update().filter(pk=vm.pk).first()
        if row is None:
            raise ActionRefused(finding("gone_meanwhile", what=vm.name), status=404)
        drift = Drift.objects.filter(vm=row).first()
        held = Operation.objects.filter(vm=row, state__in=ACTIVE).exists()
        if drift is None:
            found = finding("no_drift", vm=row.name)
        elif drift.fingerprint != fingerprint:
            found = finding("drift_gone", vm=row.name)
        elif (wrong := _wrong(row, drift, fields)) is not None:
            found, status = wrong, 422
        elif not held:
            _take(tx, actor, row, drift, fields)
    if found is not None:
        raise refuse(actor, "refresh", vm, found, status=status)
    if held:
        raise busy(actor, "refresh", vm)
    return row


def _differing(drift: Drift) -> list[str]:
    return [row["field"] for row in drift.fields if _differs(row)]


def _hosts(drift: Drift) -> dict[str, Any]:
    return {row["field"]: row["host"] for row in drift.fields}


def _running(drift: Drift, chosen: Sequence[str]) -> dict[str, Any]:
    rows = [row for row in drift.fields if row["field"] in chosen and row.get("running") is not None]
    return {row["field"]: row["running"] for row in rows}


def _differs(row: Mapping[str, Any]) -> bool:
    return row.get("bucket") != Bucket.RESTART_PENDING


def _wrong(vm: Vm, drift: Drift, fields: Sequence[str] | None) -> Finding | None:
    chosen = _differing(drift) if fields is None else fields
    if not chosen:
        return field_finding("fields", "Choose at least one field to accept from the host.")
    for name in chosen:
        if name not in _differing(drift):
            return field_finding(name, f"“{name}” does not differ from the host. Look at the list afresh.")
    if "name" in chosen:
        name = str(_hosts(drift)["name"])
        if Vm.objects.filter(cluster=vm.cluster_id, name__iexact=name).exclude(pk=vm.pk).exists():
            return field_finding(
                "name", f"Another role is called “{name}”. Rename one of the two on its host first."
            )
    return None


def _take(tx: Change, actor: Actor, vm: Vm, drift: Drift, fields: Sequence[str] | None) -> None:
    chosen = _differing(drift) if fields is None else list(dict.fromkeys(fields))
    left = [row for row in drift.fields if row["field"] not in chosen]
    hosts = _hosts(drift)
    values: dict[str, Any] = columns(vm, hosts, [name for name in chosen if name != OTHER])
    before = {name: value for name, value in vm.pending.items() if name not in chosen}
    values["pending"] = before | pending(hosts, hosts, _running(drift, chosen))
    if any(_differs(row) for row in left):
        drift.fields = left
        drift.save(update_fields=["fields"])
        values["fingerprint"] = ""  # neither the old definition nor the host's is the agreed one now
    else:
        values |= {"definition": drift.definition, "fingerprint": drift.fingerprint}
        drift.delete()
    tx.update(vm, **values, config_version=vm.config_version + 1)
    words = ", ".join(FIELDS[name].lower() for name in chosen)
    tx.event("configuration_accepted", vm=vm, node=vm.owner, actor=actor.name, fields=words)
    audit(
        actor,
        cluster_id=vm.cluster_id,
        verb="refresh",
        subject=vm.name,
        accepted=True,
        made=vm.pk,
        fields=chosen,
    )
