"""Live migration, step by step: look at both hosts, ask core what to do, do it."""

from __future__ import annotations

from collections.abc import Callable

from clustermgr.actions import leases
from clustermgr.core.migration import Act, Decision, Seen, next_act
from clustermgr.core.placement import obstacles
from clustermgr.core.states import Level, OperationKind, OperationState, Phase, VmState
from clustermgr.core.words import KINDS, duration
from clustermgr.drivers.contract import (
    Destination,
    DomainSight,
    DomainState,
    DriverError,
    HostUnreachable,
    JobKind,
    MigrationOptions,
    Refused,
)
from clustermgr.jobs.take_down import state_after, state_of
from clustermgr.jobs.work import SAMPLE_S, SILENT_S, Work
from clustermgr.models import Node
from clustermgr.ports import clock
from clustermgr.queries.snapshot import cluster_view, vm_view

WAITS = {
    "source_silent": "{source} does not answer; what became of the move is seen when it does. "
    "Start that node, or its libvirt daemon",
    "target_silent": "{target} does not answer; the move ends when it is seen without a copy. "
    "Start that node, or its libvirt daemon",
    "unfinished": "{vm} has ended on {source}; what {target} has of it is incomplete and goes by itself",
    "running_twice": "{vm} is seen running on {source} and on {target}",
}
FAILURES = {
    "source_silent": "{source} does not answer.",
    "target_silent": "{target} does not answer.",
    "foreign_job": "{vm} has a job on {source} that was not ordered here.",
    "not_running": "{vm} does not run on {source} any more.",
    "target_has_copy": "{target} already has a process of {vm}.",
    "gave_up": "The hosts ended the migration. {vm} still runs on {source}.",
    "stopped_meanwhile": "{vm} stopped during the move; neither node has a process of it.",
}
ADVICE = {
    "source_silent": "Wait until the node answers, then try again.",
    "target_silent": "Choose another node, or try again when it answers.",
    "foreign_job": "Wait until that job has ended, then try again.",
    "not_running": "Look at its state; a VM that is off can be moved with Move.",
    "target_has_copy": "Turn that copy off on its host, after making sure that it is not the one in use.",
    "gave_up": "Mend what the sentence names, then try again or choose another node.",
    "stopped_meanwhile": "Start it; look at its events for the reason.",
}

UNSEEN = "{source} has not answered since; its place for migrations stays taken until it does, or is evicted."
MEND = "Mend what the sentence names, then try again."


def live_migration(work: Work) -> float | None:
    op = work.operation
    source_sight, target_sight = work.sight(op.source), work.sight(op.target)
    source, target = seen(*source_sight), seen(*target_sight)
    caller, _ = work.caller()
    decision = next_act(
        called=op.step != "begin",
        cancel=op.state == OperationState.CANCELLING,
        caller=caller,
        source=source,
        target=target,
        same_for=work.same_for((source, target, caller)),
    )
    return ACTS[decision.act](work, decision, source_sight[1])


def seen(answered: bool, sight: DomainSight | None) -> Seen:
    """What `core.migration` needs of a sight."""
    if sight is None:
        return Seen(answered=answered)
    job = sight.job
    return Seen(
        answered=True,
        present=True,
        process=sight.has_process,
        # Stopped by a disk error: not the migration's doing, and not for the migration to resume.
        running=sight.state in (DomainState.RUNNING, DomainState.PAUSED_IO),
        job=job is not None and job.kind == JobKind.MIGRATION_OUT,
        foreign_job=job is not None and job.kind not in (JobKind.MIGRATION_OUT, JobKind.MIGRATION_IN),
        switching=job is not None and job.switching,
        incoming=sight.incoming,
    )


def _call(work: Work, decision: Decision, sight: DomainSight | None) -> float | None:
    op = work.operation
    work.must_manage()
    view = cluster_view(op.cluster, without=op.pk)
    found = list(obstacles(vm_view(op.vm), view.nodes[op.target_id], view, OperationKind.LIVE_MIGRATION))
    if found:  # things have changed while it waited
        reason = " ".join(problem.sentence for problem in found)
        return _settle_failed(work, reason, "Choose another node.", "", sight)
    leases.step(op, step="called", phase=Phase.PREPARING, hold=op.target, vm_state=VmState.MIGRATING)
    to = Destination(address=op.target.migration_address or op.target.address, name=op.target.name)
    options = MigrationOptions(
        bandwidth=int(op.params.get("bandwidth_mib_s") or op.cluster.migration_bandwidth_mib_s) << 20,
        allow_unsafe=op.cluster.allow_unsafe_migration,
    )
    try:
        work.handle = work.call(lambda: work.host(op.source).begin_migrate(op.vm.uuid, to, options))
    except HostUnreachable:
        work.forget(op.source)  # it may have begun all the same: looking will tell
    except DriverError as error:  # refused before anything was done: it is as it was seen
        return _settle_failed(work, error.sentence, MEND, error.raw, sight)
    return SAMPLE_S


def _follow(work: Work, decision: Decision, sight: DomainSight | None) -> float:
    assert sight is not None
    assert sight.job is not None
    op, job = work.operation, sight.job
    phase = Phase.SWITCHING if job.switching else Phase.COPYING
    if op.phase != phase and op.phase != Phase.SWITCHING:
        leases.step(op, phase=phase, wait_reason="", progress=op.progress, vm_state=VmState.MIGRATING)
    work.progress(job, op.phase)
    return SAMPLE_S


def _abort(work: Work, decision: Decision, sight: DomainSight | None) -> float:
    op = work.operation
    try:
        work.call(lambda: work.host(op.source).abort_job(op.vm.uuid), ends=True)
    except Refused:
        pass  # past the switch-over: it ends by itself, and where it ended will be seen
    except HostUnreachable:
        work.forget(op.source)
        return SILENT_S
    return SAMPLE_S


def _look(work: Work, decision: Decision, sight: DomainSight | None) -> float:
    work.note(WAITS[decision.reason].format(**_names(work)) if decision.reason in WAITS else "")
    leases.renew(work.operation)
    return SILENT_S if decision.reason in WAITS else SAMPLE_S


def _on(node_of: Callable[[Work], Node], verb: str) -> Callable[[Work, Decision, DomainSight | None], float]:
    def act(work: Work, decision: Decision, sight: DomainSight | None) -> float:
        node = node_of(work)
        try:
            # The paused copy of a migration that is over is removed in any case; nothing is resumed.
            work.call(lambda: getattr(work.host(node), verb)(work.operation.vm.uuid), ends=verb == "destroy")
        except HostUnreachable:
            work.forget(node)
            return SILENT_S
        except DriverError as error:
            work.note(error.sentence)
            return SILENT_S
        return SAMPLE_S

    return act


def _succeed(work: Work, decision: Decision, sight: DomainSight | None) -> None:
    op = work.operation
    took = (clock().now() - (op.started_at or op.created_at)).total_seconds()
    totals, there = None, work.sight(op.target)[1]
    try:
        totals = work.host(op.target).totals(op.vm.uuid)
    except DriverError:
        work.forget(op.target)  # the move is done; only its figures are missing
    done = dict(op.progress, percent=100.0, left=0, eta_s=0, phase=Phase.DONE.value, took_s=round(took, 1))
    if totals is not None:
        done |= {"downtime_ms": totals.downtime_ms, "sent": totals.bytes_sent, "pass": totals.iterations}
    unseen = decision.reason == "source_unseen"
    leases.renew(op, progress=done)
    leases.settle(
        op,
        OperationState.SUCCEEDED,
        outcome=f"{op.vm.name} runs on {op.target.name}; the move took {duration(took)}.",
        advice=UNSEEN.format(**_names(work)) if unseen else "",
        code="move_done",
        vm_state=state_of(there) if there and there.has_process else VmState.RUNNING,
        vm_values={"owner": op.target},
        unheld=() if unseen else (op.source,),
        unseen=op.source if unseen else None,
        params={**_names(work), "kind": KINDS[op.kind], "took": duration(took)},
    )


def _aborted(work: Work) -> bool:
    """What became of an unanswered call is told only after an abort at the source (safety.md 1.3)."""
    if work.operation.step == "begin" or work.caller()[0] != "none":
        return True
    try:
        work.call(lambda: work.host(work.operation.source).abort_job(work.operation.vm.uuid), ends=True)
    except HostUnreachable:
        work.forget(work.operation.source)
        return False
    except DriverError:
        return False  # it has begun after all: the next look sees it
    return True


def _cancelled(work: Work, decision: Decision, sight: DomainSight | None) -> float | None:
    op = work.operation
    if not _aborted(work):
        return SAMPLE_S
    leases.settle(
        op,
        OperationState.CANCELLED,
        outcome=f"Cancelled; {op.vm.name} kept running on {op.source.name} throughout.",
        code="move_cancelled",
        vm_state=None if op.step == "begin" else state_after(op.vm, sight),
        unheld=() if op.step == "begin" else (op.target,),  # else it was just seen without a copy
        params={**_names(work), "kind": KINDS[op.kind]},
    )
    return None


def _fail(work: Work, decision: Decision, sight: DomainSight | None) -> float | None:
    if decision.reason == "gave_up" and not _aborted(work):
        return SAMPLE_S
    _, said = work.caller()
    reason = FAILURES[decision.reason].format(**_names(work))
    if decision.reason == "gave_up" and said:
        reason = f"{said.rstrip('.')}. {work.operation.vm.name} still runs on {work.operation.source.name}."
    return _settle_failed(work, reason, ADVICE[decision.reason], said, sight)


def _settle_failed(work: Work, reason: str, advice: str, raw: str, sight: DomainSight | None) -> None:
    op = work.operation
    answered, copy = work.sight(op.target)
    # Not touched by us before the call: what the sweep sees then stands.
    state = None if op.step == "begin" else state_after(op.vm, sight)
    seen_without = []
    if op.step != "begin" and answered and not (copy and copy.has_process):
        seen_without.append(op.target)
    if state in (VmState.FAILED, VmState.OFF):
        seen_without.append(op.source)
    leases.settle(
        op,
        OperationState.FAILED,
        outcome=reason,
        advice=advice,
        raw=raw,
        code="move_failed",
        level=Level.ERROR,
        vm_state=state,
        vm_reason=reason if state == VmState.FAILED else "",
        unheld=tuple(seen_without),
        params={**_names(work), "kind": KINDS[op.kind], "reason": reason},
    )


def _freeze(work: Work, decision: Decision, sight: DomainSight | None) -> None:
    op = work.operation
    names = _names(work)
    leases.settle(
        op,
        OperationState.FAILED,
        outcome=f"{op.vm.name} runs on {op.source.name} and on {op.target.name} at the same time.",
        advice="Decide which copy stays, and turn the other off on its host. Nothing is done by itself.",
        code="vm_running_twice",
        level=Level.CRITICAL,
        params={**names, "nodes": f"{op.source.name} and {op.target.name}"},
    )


def _names(work: Work) -> dict[str, str]:
    op = work.operation
    return {"vm": op.vm.name, "source": op.source.name, "target": op.target.name}


ACTS: dict[Act, Callable[[Work, Decision, DomainSight | None], float | None]] = {
    Act.CALL: _call,
    Act.FOLLOW: _follow,
    Act.ABORT: _abort,
    Act.LOOK: _look,
    Act.REMOVE_COPY: _on(lambda work: work.operation.target, "destroy"),
    Act.RESUME_TARGET: _on(lambda work: work.operation.target, "resume"),
    Act.RESUME_SOURCE: _on(lambda work: work.operation.source, "resume"),
    Act.SUCCEED: _succeed,
    Act.CANCELLED: _cancelled,
    Act.FAIL: _fail,
    Act.FREEZE: _freeze,
}
