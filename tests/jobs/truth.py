"""Whether what the cluster says of a VM is what its hosts show, and whether its order ended or says why."""

from __future__ import annotations

from clustermgr.core.states import ACTIVE, VmState, Wanted
from clustermgr.jobs.readings import STATES
from clustermgr.models import Holder, Operation, Slot
from tests.jobs.conftest import Stage


def lies(stage: Stage, name: str, *, may_wait: bool = False, left_behind: bool = False) -> list[str]:
    """Every untrue statement about one VM, in words; empty when all is true. `may_wait`: an order may still
    wait, with its reason; `left_behind`: a node that was silent may still have an old definition."""
    vm, where = stage.vm(name), stage.where(name)
    found = [f"ran twice: {run.hosts}" for run in stage.world.double_runs() if run.uuid == vm.uuid]
    waiting = Operation.objects.filter(vm=vm, state__in=ACTIVE).first()
    if waiting is not None:
        if not waiting.wait_reason:
            found.append(f"{waiting.kind} does not end and does not say why")
        return found if may_wait else [*found, f"{waiting.kind} waits: {waiting.wait_reason}"]
    if len(where) > 1:
        found.append(f"two copies: {where}")
    held = {holder.node.name for holder in Holder.objects.filter(vm=vm)}
    if held != set(where):
        found.append(f"held by {held}, processes on {set(where)}")
    if Slot.objects.filter(operation__vm=vm).exists():
        found.append("its slots are still taken")
    found += _with_process(stage, name) if where else _without(stage, name)
    return found if left_behind else found + _definitions(stage, name)


def _with_process(stage: Stage, name: str) -> list[str]:
    vm, (node, state) = stage.vm(name), next(iter(stage.where(name).items()))
    found = []
    if vm.owner.name != node:
        found.append(f"runs on {node}, its owner is {vm.owner.name}")
    if vm.state != STATES[state]:
        found.append(f"is {state}, shown as {vm.state}")
    if vm.wanted != Wanted.RUNNING:
        found.append(f"runs, but is wanted {vm.wanted}")
    if stage.world.saved_file(vm.uuid):
        found.append("runs, and its saved state is still there")
    return found


def _without(stage: Stage, name: str) -> list[str]:
    vm = stage.vm(name)
    found = []
    if vm.state not in (VmState.OFF, VmState.SAVED, VmState.FAILED):
        found.append(f"has no process, shown as {vm.state}")
    if vm.state == VmState.OFF and vm.wanted == Wanted.RUNNING:
        found.append("should run and is off: nobody will start it")
    file = stage.world.saved_file(vm.uuid)
    if (vm.state == VmState.SAVED) != bool(file):
        found.append(f"is shown as {vm.state}, its saved state is {file or 'nowhere'}")
    if vm.saved_file and vm.saved_file != file:
        found.append(f"knows of a saved state {vm.saved_file} that is not there")
    return found


def _definitions(stage: Stage, name: str) -> list[str]:
    vm = stage.vm(name)
    defined = [copy.host for copy in stage.world.copies(vm.uuid) if copy.defined]
    return [] if defined == [vm.owner.name] else [f"defined on {defined}, its owner is {vm.owner.name}"]
