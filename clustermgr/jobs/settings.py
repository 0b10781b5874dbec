"""Applying settings on the host, and taking what the host then has as the agreed copy."""

from __future__ import annotations

from dataclasses import asdict

from clustermgr.actions import leases
from clustermgr.core.settings_rules import LABELS
from clustermgr.core.states import OperationState, Phase
from clustermgr.drivers.contract import DriverError, HostUnreachable
from clustermgr.jobs.power import fail
from clustermgr.jobs.work import Trouble, Work
from clustermgr.secrets import seal

WHEN = {"now": "now", "next_start": "at the next start"}


def settings(work: Work) -> float | None:
    op, vm = work.operation, work.operation.vm
    host = work.host(op.source)
    if op.step == "begin":
        leases.step(op, step="apply", phase=Phase.APPLYING)
    try:
        # Setting the same values twice is harmless, so a new owner may simply do it again.
        applied = work.call(lambda: host.apply_settings(vm.uuid, op.params["changes"]))
        config = host.read_config(vm.uuid)
    except HostUnreachable:
        raise
    except DriverError as error:
        return fail(work, op.source, Trouble(f"{error.sentence} Nothing was changed.", error.raw))
    words = [f"{LABELS[name]}: applied {WHEN.get(when, when)}" for name, when in applied.items()]
    leases.settle(
        op,
        OperationState.SUCCEEDED,
        outcome="; ".join(words) + ".",
        code="settings_changed",
        vm_values={
            "memory_mib": config.saved.memory_mib,
            "vcpus": config.saved.vcpus,
            "notes": config.saved.notes,
            "settings": asdict(config.saved),
            "definition": seal(config.definition),
            "fingerprint": config.fingerprint,
            "config_version": vm.config_version + 1,
        },
        params={"fields": ", ".join(LABELS[name] for name in applied)},
    )
    return None
