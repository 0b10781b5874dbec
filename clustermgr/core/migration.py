"""Live migration: from what was seen on both hosts to the next act. Level-triggered, so that any worker can
go on where another died: it looks, and decides as if it had been there all the time (safety.md 1.3, 2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: A copy that is gone must be seen gone twice, this many seconds apart (safety.md 1.3).
SETTLE_S = 2.0
#: Longer when nobody knows what became of the call: a host that was silent may still begin.
UNANSWERED_S = 8.0
#: How long a paused pair may stay so before we act on it: the hosts tidy up by themselves within this time.
PATIENCE_S = 5.0
#: An unfinished copy whose source is gone ends by itself, in libvirt after about 30 s; then it is removed.
ORPHAN_S = 60.0


class Act(StrEnum):
    CALL = "call"  # write the holder, then begin the migration
    FOLLOW = "follow"  # a job is under way: take its figures
    ABORT = "abort"
    LOOK = "look"  # nothing to do yet: look again
    REMOVE_COPY = "remove_copy"  # destroy the target's paused copy; the source runs
    RESUME_TARGET = "resume_target"  # the source has no process any more
    RESUME_SOURCE = "resume_source"  # the target has none, and the source was left paused
    SUCCEED = "succeed"
    CANCELLED = "cancelled"
    FAIL = "fail"
    FREEZE = "freeze"  # running twice: nothing is done by itself


@dataclass(frozen=True, slots=True)
class Seen:
    """One side. `process`: it has one (in any state); `running`: and that one runs."""

    answered: bool
    present: bool = False
    process: bool = False
    running: bool = False
    job: bool = False  # an outgoing migration of this VM (source)
    foreign_job: bool = False  # any other job of this VM
    switching: bool = False
    incoming: bool = False  # an unfinished copy (target): it lacks memory, and is never resumed


@dataclass(frozen=True, slots=True)
class Decision:
    act: Act
    reason: str = ""


def next_act(
    *,
    called: bool,
    cancel: bool,
    caller: str,
    source: Seen,
    target: Seen,
    same_for: float,
) -> Decision:
    """What to do now.

    called -- whether the call was (perhaps) made: its intent is written.
    cancel -- an administrator asked to stop.
    caller -- "running" while our own call has not returned, else "ended"; "none": what became of it nobody
              knows, because its worker died or its answer was lost.
    same_for -- seconds since both sides look as they look now.
    """
    if not called:
        return _before(cancel, source, target)
    if not source.answered:
        return _source_silent(target)
    if source.job:
        if cancel and not source.switching:
            return Decision(Act.ABORT)
        return Decision(Act.FOLLOW)
    if caller == "running":
        return Decision(Act.LOOK)
    if source.running:
        settled = same_for >= (SETTLE_S if caller == "ended" else UNANSWERED_S)
        return _source_runs(cancel, target, same_for, settled)
    if source.process:
        return _source_paused(target, same_for)
    return _source_empty(target, same_for)


def _before(cancel: bool, source: Seen, target: Seen) -> Decision:
    if cancel:
        return Decision(Act.CANCELLED)
    if not source.answered:
        return Decision(Act.FAIL, "source_silent")
    if not target.answered:
        return Decision(Act.FAIL, "target_silent")
    if source.job or source.foreign_job:
        return Decision(Act.FAIL, "foreign_job")
    if not source.running:
        return Decision(Act.FAIL, "not_running")
    if target.process:
        return Decision(Act.FAIL, "target_has_copy")
    return Decision(Act.CALL)


def _source_silent(target: Seen) -> Decision:
    # A running copy at the target means that the switch took place: the source let go of it before.
    # The source stays a possible holder until it is seen without it.
    if target.answered and target.running:
        return Decision(Act.SUCCEED, "source_unseen")
    return Decision(Act.LOOK, "source_silent")


def _source_runs(cancel: bool, target: Seen, same_for: float, settled: bool) -> Decision:
    if not target.answered:
        return Decision(Act.LOOK, "target_silent")
    if target.running:
        return Decision(Act.FREEZE if same_for >= SETTLE_S else Act.LOOK, "running_twice")
    if same_for < SETTLE_S:
        return Decision(Act.LOOK)
    if target.process:
        return Decision(Act.REMOVE_COPY)
    if not settled:
        return Decision(Act.LOOK)
    return Decision(Act.CANCELLED if cancel else Act.FAIL, "" if cancel else "gave_up")


def _source_paused(target: Seen, same_for: float) -> Decision:
    if not target.answered:
        return Decision(Act.LOOK, "target_silent")
    if target.running or same_for < PATIENCE_S:
        return Decision(Act.LOOK)  # the source's host removes its finished copy by itself
    return Decision(Act.REMOVE_COPY if target.process else Act.RESUME_SOURCE)


def _source_empty(target: Seen, same_for: float) -> Decision:
    if not target.answered:
        return Decision(Act.LOOK, "target_silent")
    if target.running:
        return Decision(Act.SUCCEED)
    if target.incoming:
        orphan = same_for >= ORPHAN_S
        return Decision(Act.REMOVE_COPY if orphan else Act.LOOK, "" if orphan else "unfinished")
    if target.process:
        return Decision(Act.RESUME_TARGET if same_for >= PATIENCE_S else Act.LOOK)
    return Decision(Act.FAIL if same_for >= SETTLE_S else Act.LOOK, "stopped_meanwhile")
