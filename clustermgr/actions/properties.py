"""Changing a cluster's properties: how live migrations are made. They count for the next one that begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clustermgr.access import Actor
from clustermgr.actions._ledger import audit, change
from clustermgr.actions.operations import ADMIT
from clustermgr.actions.rights import require
from clustermgr.core.cluster_rules import LABELS, clean, words
from clustermgr.core.findings import Finding, field_finding, finding
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Cluster


def change_cluster(
    *, actor: Actor, cluster: Cluster, changes: Mapping[str, Any], base: Mapping[str, Any]
) -> Cluster:
    """Change `live_migrations_per_node`, `migration_bandwidth_mib_s`, `allow_unsafe_migration`.

    base -- the values of these fields as they were read. One that somebody else changed since is a conflict,
    and nothing is written; what has its new value already is none, so the same order twice is one.
    Raises ActionRefused: 403, 409, 422 (a finding per field).
    """
    require(actor, "change_cluster", cluster)
    values, found = clean(changes)
    read, _ = clean({name: value for name, value in base.items() if name in LABELS})
    found += [_unread(name) for name in values if name not in read]
    if found:
        raise _refused(actor, cluster, *found, status=422)
    with change(cluster.pk) as tx:
        row = Cluster.objects.select_for_update().get(pk=cluster.pk)
        values = {name: value for name, value in values.items() if getattr(row, name) != value}
        clash = [name for name in values if read[name] != getattr(row, name)]
        if values and not clash:
            said = [_said(row, name, value) for name, value in values.items()]
            # First: in a cluster that stands down this ends here.
            audit(actor, cluster_id=row.pk, verb="change_cluster", subject=row.name, accepted=True, **values)
            tx.update(row, **values)
            tx.event("cluster_changed", actor=actor.name, fields=", ".join(said))
            tx.enqueue(ADMIT, row.pk)
    if clash:
        raise _refused(actor, cluster, _conflict(cluster, clash))
    return row


def _said(row: Cluster, name: str, value: Any) -> str:
    return f"{LABELS[name].lower()} {words(name, value)} (was {words(name, getattr(row, name))})"


def _unread(name: str) -> Finding:
    return field_finding(name, f"Send in “base” the value of {name} that you read.")


def _conflict(cluster: Cluster, fields: list[str]) -> Finding:
    done = AuditEntry.objects.filter(cluster=cluster, verb="change_cluster", accepted=True)
    last = done.filter(params__has_key=fields[0]).first()
    labels = ", ".join(LABELS[name] for name in fields)
    return finding("stale_form", who=last.username if last else "Somebody", fields=labels)


def _refused(actor: Actor, cluster: Cluster, *found: Finding, status: int = 409) -> ActionRefused:
    refusal = ActionRefused(*found, status=status)
    audit(
        actor,
        cluster_id=cluster.pk,
        verb="change_cluster",
        subject=cluster.name,
        accepted=False,
        answer=str(refusal),
    )
    return refusal
