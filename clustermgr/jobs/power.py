"""Start, shut down, turn off and save, each from the two halves: take down, bring up."""

from __future__ import annotations

from typing import Any

from clustermgr.actions import leases
from clustermgr.core.saving import no_place
from clustermgr.core.states import OfflineAction, OperationKind, OperationState, VmState, Wanted
from clustermgr.drivers.contract import DomainState
from clustermgr.jobs.bring_up import alone, bring_up, came_up
from clustermgr.jobs.endings import cancelled, fail
from clustermgr.jobs.take_down import Cancelled, take_down
from clustermgr.jobs.work import SILENT_S, Trouble, Work
from clustermgr.models import Node, Operation


def start(work: Work) -> float | None:
    op = work.operation
    node = op.target
    try:
        if op.step == "begin":
            return _begin_start(work, node)
        pause = bring_up(work, node, path=op.memory.get("path", ""))
    except Trouble as trouble:
        return fail(work, node, trouble)
    if pause is not None:
        return pause
    code = {"restore": "vm_restored", "resume": "vm_resumed"}.get(op.memory.get("how", ""), "vm_started")
    leases.settle(
        op,
        OperationState.SUCCEEDED,
        outcome=f"{op.vm.name} runs on {node.name}.",
        code=code,
        vm_state=VmState.RUNNING,
        vm_values=_started(op.memory.get("how", "")),
        params={"node": node.name},
    )
    return None


def _started(how: str) -> dict[str, Any]:
    if how == "resume":
        return {"wanted": Wanted.RUNNING, "saved_file": "", "saved_spent": False}
    return came_up(cold=how != "restore")


def _begin_start(work: Work, node: Node) -> float:
    op, vm = work.operation, work.operation.vm
    work.must_manage()
    sight = work.first_sight(node)
    if sight is not None and sight.state == DomainState.PAUSED:
        if not alone(work, node):
            return SILENT_S
        if vm.saved_file:  # restored or not: once it runs, the memory in the file is older than its disks
            memory = {"how": "restore", "path": vm.saved_file}
            leases.step(op, step="spent", hold=node, memory=memory, vm_values={"saved_spent": True})
        else:
            leases.step(op, step="resume", hold=node, memory={"how": "resume"})
    elif vm.saved_file and not vm.saved_spent:  # a spent state is never restored: it starts from its disks
        leases.step(op, step="up", memory={"how": "restore", "path": vm.saved_file})
    else:
        leases.step(op, step="up", memory={"how": "start"})
    return 0.0


def shut_down(work: Work) -> float | None:
    forced = bool(work.operation.params.get("forced"))
    how = OfflineAction.SHUT_DOWN_FORCED if forced else OfflineAction.SHUT_DOWN
    return _stop(work, how, "vm_stopped", "is off")


def turn_off(work: Work) -> float | None:
    return _stop(work, OfflineAction.TURN_OFF, "vm_turned_off", "is off")


def save(work: Work) -> float | None:
    return _stop(work, OfflineAction.SAVE, "vm_saved", "is saved")


def _stop(work: Work, how: OfflineAction, code: str, ended: str) -> float | None:
    op = work.operation
    try:
        path = saved_path(op) if how == OfflineAction.SAVE else ""
        pause = take_down(work, op.source, how, path)
    except Trouble as trouble:
        return fail(work, op.source, trouble)
    except Cancelled as end:
        return cancelled(work, op.source, end.left)
    if pause is not None:
        return pause
    leases.settle(
        op,
        OperationState.SUCCEEDED,
        outcome=f"{op.vm.name} {ended}.",
        code=code,
        vm_state=VmState.SAVED if path else VmState.OFF,
        vm_values={"wanted": Wanted.OFF, "saved_file": path, "saved_spent": False, "started_at": None},
        unheld=(op.source,),
        params={"node": op.source.name},
    )
    return None


def saved_path(operation: Operation) -> str:
    """Where this operation keeps the VM's memory: on the VM's own volume, never used twice. Raises Trouble
    when that came to keep no files since the order was given."""
    vm = operation.vm
    if "path" in operation.memory:
        return str(operation.memory["path"])
    name, folder = (vm.volume.name, vm.volume.path) if vm.volume else (None, "")
    if found := no_place(vm.name, name, folder, OperationKind(operation.kind)):
        raise Trouble(found.sentence)
    return f"{folder.rstrip('/')}/{vm.uuid}-{operation.pk}.save"
