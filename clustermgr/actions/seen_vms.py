"""What was seen of VMs, as rows: judgements of core.sightings, and drift of their configurations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db.models import F

from clustermgr.actions._ledger import Change
from clustermgr.core import definition_diff, drift
from clustermgr.core.readings import Config, Settings
from clustermgr.core.sightings import Judgement, RoleFacts
from clustermgr.core.states import ACTIVE, Level, VmState
from clustermgr.models import Drift, Holder, Node, Operation, Vm
from clustermgr.secrets import SealBroken, seal, unseal

ENGINE = "clustermgr.jobs.engine.decide"
COLUMNS = ("name", "memory_mib", "vcpus", "notes")
NO_PROCESS = (VmState.OFF, VmState.SAVED, VmState.FAILED)


def judgements(
    tx: Change, nodes: Mapping[int, Node], found: Sequence[tuple[RoleFacts, Judgement]]
) -> set[int]:
    """Write what was judged; ids of those written. A row that somebody changed since it was judged, or that
    an order took, is left alone: the next look judges it afresh."""
    free = _free({facts.id for facts, _ in found})
    written = set()
    for facts, judged in found:
        vm = free.get(facts.id)
        if vm is None or (vm.state, vm.owner_id) != (facts.state, facts.owner):
            continue
        _judgement(tx, nodes, vm, judged)
        written.add(vm.pk)
    return written


def _judgement(tx: Change, nodes: Mapping[int, Node], vm: Vm, judged: Judgement) -> None:
    before = vm.owner_id
    values: dict[str, Any] = {
        "owner": nodes[judged.owner],
        "wanted": judged.wanted,
        "started_at": judged.started_at,
        "started_seen": judged.started_seen,
    }
    if judged.state == VmState.UNMONITORED:
        values |= {"cpu_percent": None, "memory_used_mib": None}
    if judged.spent:
        values["saved_spent"] = True
    if judged.owner != before:
        values |= at_another_host(vm)
    tx.set_vm_state(vm, judged.state, judged.reason, **values)
    _holders(tx, vm, before, judged)
    for happening in judged.happenings:
        params: dict[str, Any] = dict(happening.params)
        tx.event(happening.code, level=happening.level, vm=vm, node=nodes[judged.owner], **params)
    if judged.owner != before:
        tx.touch(nodes[before], nodes[judged.owner])
    if judged.decide:
        tx.enqueue(ENGINE, vm.cluster_id, queue="engine")


def _holders(tx: Change, vm: Vm, before: int, judged: Judgement) -> None:
    # A node stops being a holder only where it was itself seen without the VM (safety.md 1.1).
    if judged.state in NO_PROCESS or judged.owner != before:
        Holder.objects.filter(vm=vm, node_id=before).delete()
    if judged.state not in (*NO_PROCESS, VmState.UNMONITORED, VmState.UNKNOWN):
        Holder.objects.get_or_create(
            vm=vm, node_id=judged.owner, defaults={"since": tx.now, "because": "seen running"}
        )


def at_another_host(vm: Vm) -> dict[str, Any]:
    """What to write of a VM with its new owner: one host may put the same definition in other words than
    another, so its fingerprint is unknown until it is read there. Drift that is known stays known."""
    return {} if Drift.objects.filter(vm=vm).exists() else {"fingerprint": ""}


def held(tx: Change, found: Sequence[tuple[int, int]]) -> None:
    """A copy was seen on nodes that do not own it (VM, node): each may have one, whatever becomes of it."""
    free = _free({vm for vm, _ in found})
    for vm, node in found:
        if vm in free and free[vm].owner_id != node:
            values = {"since": tx.now, "because": "seen there"}
            Holder.objects.get_or_create(vm_id=vm, node_id=node, defaults=values)
            tx.touch(free[vm])


def unheld(tx: Change, found: Sequence[tuple[int, int]]) -> None:
    """Drop holders (id, VM) whose node was seen without a process, unless an order took the VM meanwhile."""
    free = _free({vm for _, vm in found})
    Holder.objects.filter(pk__in=[pk for pk, vm in found if vm in free]).exclude(node=F("vm__owner")).delete()
    tx.touch(*free.values())


def _free(ids: Collection[int]) -> dict[int, Vm]:
    """Those of these VMs that no order holds. They are locked first: an order that is given meanwhile waits,
    so that it finds the holders as they are left here."""
    rows = Vm.objects.select_for_update().filter(pk__in=ids).order_by("pk").defer("definition")
    found = {row.pk: row for row in rows}
    taken = Operation.objects.filter(vm__in=found, state__in=ACTIVE).values_list("vm_id", flat=True)
    return {pk: found[pk] for pk in found.keys() - set(taken)}


def copy_of(vm: Vm) -> dict[str, Any]:
    """The cluster's copy of a VM's settings, in the shape in which a host tells its own."""
    return {**vm.settings, **{name: getattr(vm, name) for name in COLUMNS}}


def columns(vm: Vm, settings: Settings, fields: Sequence[str]) -> dict[str, Any]:
    """The columns to write so that the cluster's copy has these fields of `settings`."""
    values: dict[str, Any] = {name: settings[name] for name in fields if name in COLUMNS}
    rest = {name: settings[name] for name in fields if name not in COLUMNS}
    return {**values, "settings": {**vm.settings, **rest}} if rest else values


def configuration(tx: Change, vm: Vm, found: Config) -> None:
    """Compare a host's configuration with the cluster's copy: the drift row follows."""
    prints = (vm.fingerprint, found.fingerprint)
    copy = copy_of(vm)
    _pending(tx, vm, drift.pending(copy, found.saved, found.running))
    differences = [_told(vm, found, each) for each in drift.compare(copy, found.saved, found.running, prints)]
    known: Drift | None = getattr(vm, "drift", None)
    if drift.drifted(differences):
        _drifted(tx, vm, known, found, differences)
        return
    if known is not None:
        known.delete()
        tx.event("drift_gone", vm=vm, node=vm.owner)
        tx.touch(vm)
    if vm.fingerprint != found.fingerprint:
        # Unknown after a change of our own, which every field that we know shows: the rest follows.
        definition = seal(found.definition)
        Vm.objects.filter(pk=vm.pk).update(definition=definition, fingerprint=found.fingerprint)


def _told(vm: Vm, found: Config, each: drift.Difference) -> drift.Difference:
    """Of the rest of a definition: which parts changed, where both can be read."""
    if each.field != drift.OTHER:
        return each
    try:
        parts = definition_diff.told(unseal(vm.definition), found.definition)
    except SealBroken:
        parts = None
    return each if parts is None else replace(each, cluster=parts[0], host=parts[1])


def _pending(tx: Change, vm: Vm, waiting: dict[str, Any]) -> None:
    # A saved VM shows nothing that runs, and its memory goes on as it was: what was pending still is.
    if waiting != vm.pending and not (vm.state == VmState.SAVED and not waiting):
        tx.update(vm, pending=waiting)


def _drifted(
    tx: Change, vm: Vm, known: Drift | None, found: Config, differences: list[drift.Difference]
) -> None:
    fields = [each.as_row() for each in differences]
    if known is not None and (known.fingerprint, known.fields) == (found.fingerprint, fields):
        Drift.objects.filter(pk=known.pk).update(read_at=found.began)
        return
    values = {
        "read_at": found.began,
        "fields": fields,
        "fingerprint": found.fingerprint,
        "definition": seal(found.definition),
        "settings": dict(found.saved),
    }
    Drift.objects.update_or_create(vm=vm, defaults=values, create_defaults={**values, "found_at": tx.now})
    before = {row["field"] for row in known.fields} if known else set()
    new = [each.field for each in drift.drifted(differences)]
    if set(new) - before:
        words = ", ".join(drift.FIELDS[name].lower() for name in new)
        tx.event("drift_found", level=Level.WARNING, vm=vm, node=vm.owner, fields=words)
    tx.touch(vm)
