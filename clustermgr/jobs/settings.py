"""Applying settings on the host, and taking what the host then has of them into the cluster's copy."""

from __future__ import annotations

from django.db.models import F

from clustermgr.actions import leases
from clustermgr.actions.seen_vms import columns
from clustermgr.core.drift import pending
from clustermgr.core.settings_rules import HOST_FIELDS, LABELS
from clustermgr.core.states import OperationState, Phase
from clustermgr.drivers.contract import DriverError, HostUnreachable
from clustermgr.jobs import readings
from clustermgr.jobs.endings import fail
from clustermgr.jobs.work import Trouble, Work

WHEN = {"now": "now", "next_start": "at the next start"}


def settings(work: Work) -> float | None:
    op, vm = work.operation, work.operation.vm
    try:
        if op.step == "begin":
            work.must_manage()
            work.first_sight(op.source)
        host = work.host(op.source)
        if op.step == "begin":
            in_step = host.read_config(vm.uuid).fingerprint == vm.fingerprint
            leases.step(op, step="apply", phase=Phase.APPLYING, memory={"in_step": in_step})
        # Setting the same values twice is harmless, so a new owner may simply do it again.
        applied = work.call(lambda: host.apply_settings(vm.uuid, op.params["changes"]))
        found = host.read_config(vm.uuid)
    except HostUnreachable:
        raise
    except Trouble as trouble:
        return fail(work, op.source, trouble)
    except DriverError as error:
        return fail(work, op.source, Trouble(f"{error.sentence} Nothing was changed.", error.raw))
    now = readings.settings(found.saved)
    running = readings.settings(found.running) if found.running else None
    waiting = {name: value for name, value in vm.pending.items() if name not in applied}
    waiting |= {name: value for name, value in pending(now, now, running).items() if name in applied}
    # What only the host understands changed with it, and by this order alone: the next sweep takes it.
    rest = {"fingerprint": ""} if op.memory.get("in_step") else {}
    done = [name for name in HOST_FIELDS if name in applied]
    words = [f"{LABELS[name]}: applied {WHEN.get(applied[name], applied[name])}" for name in done]
    leases.settle(
        op,
        OperationState.SUCCEEDED,
        outcome="; ".join(words) + ".",
        code="settings_changed",
        # Only what was ordered: any other difference on the host stays drift, for somebody to decide.
        vm_values={
            **columns(vm, now, list(applied)),
            **rest,
            "pending": waiting,
            "config_version": F("config_version") + 1,
        },
        params={"fields": ", ".join(LABELS[name] for name in done)},
    )
    return None
