"""What to do with a live migration, from what is seen on both hosts."""

from __future__ import annotations

import pytest

from clustermgr.core.migration import Act, Seen, next_act

SILENT = Seen(answered=False)
EMPTY = Seen(answered=True)
RUNS = Seen(answered=True, present=True, process=True, running=True)
PAUSED = Seen(answered=True, present=True, process=True)
UNFINISHED = Seen(answered=True, present=True, process=True, incoming=True)
COPYING = Seen(answered=True, present=True, process=True, running=True, job=True)
SWITCHING = Seen(answered=True, present=True, process=True, job=True, switching=True)
OTHER_JOB = Seen(answered=True, present=True, process=True, running=True, foreign_job=True)

# called, cancel, our call, source, target, seconds the same -> act
TABLE = [
    (False, False, "none", RUNS, EMPTY, 0, Act.CALL),
    (False, True, "none", RUNS, EMPTY, 0, Act.CANCELLED),
    (False, False, "none", SILENT, EMPTY, 0, Act.FAIL),
    (False, False, "none", RUNS, SILENT, 0, Act.FAIL),
    (False, False, "none", PAUSED, EMPTY, 0, Act.FAIL),
    (False, False, "none", OTHER_JOB, EMPTY, 0, Act.FAIL),
    (False, False, "none", RUNS, PAUSED, 0, Act.FAIL),
    # under way: follow it, whoever began it
    (True, False, "running", COPYING, PAUSED, 0, Act.FOLLOW),
    (True, False, "none", COPYING, PAUSED, 9, Act.FOLLOW),
    (True, True, "none", COPYING, PAUSED, 0, Act.ABORT),
    (True, True, "none", SWITCHING, PAUSED, 0, Act.FOLLOW),
    (True, False, "running", RUNS, EMPTY, 9, Act.LOOK),
    # the end is observed, twice where a copy must be gone
    (True, False, "ended", EMPTY, RUNS, 0, Act.SUCCEED),
    (True, True, "ended", EMPTY, RUNS, 0, Act.SUCCEED),
    (True, False, "ended", RUNS, EMPTY, 1.9, Act.LOOK),
    (True, False, "ended", RUNS, EMPTY, 2, Act.FAIL),
    (True, True, "ended", RUNS, EMPTY, 2, Act.CANCELLED),
    # longer, when nobody knows what became of the call: the host may still begin
    (True, True, "none", RUNS, EMPTY, 7.9, Act.LOOK),
    (True, True, "none", RUNS, EMPTY, 8, Act.CANCELLED),
    (True, False, "none", RUNS, EMPTY, 7.9, Act.LOOK),
    (True, False, "none", RUNS, EMPTY, 8, Act.FAIL),
    (True, False, "none", RUNS, PAUSED, 1, Act.LOOK),
    (True, False, "none", RUNS, PAUSED, 2, Act.REMOVE_COPY),
    # a silent side settles nothing
    (True, False, "none", SILENT, EMPTY, 99, Act.LOOK),
    (True, False, "none", SILENT, PAUSED, 99, Act.LOOK),
    (True, False, "none", SILENT, RUNS, 0, Act.SUCCEED),
    (True, True, "none", RUNS, SILENT, 99, Act.LOOK),
    (True, False, "none", EMPTY, SILENT, 99, Act.LOOK),
    # both paused: the hosts tidy up first, then the source goes on
    (True, False, "none", PAUSED, PAUSED, 4, Act.LOOK),
    (True, False, "none", PAUSED, PAUSED, 5, Act.REMOVE_COPY),
    (True, False, "none", PAUSED, EMPTY, 5, Act.RESUME_SOURCE),
    (True, False, "none", PAUSED, RUNS, 99, Act.LOOK),
    (True, False, "none", EMPTY, PAUSED, 1, Act.LOOK),
    (True, False, "none", EMPTY, PAUSED, 5, Act.RESUME_TARGET),
    (True, False, "none", EMPTY, EMPTY, 2, Act.FAIL),
    # an unfinished copy lacks memory: its host removes it by itself, else we do
    (True, False, "none", EMPTY, UNFINISHED, 59, Act.LOOK),
    (True, False, "none", EMPTY, UNFINISHED, 60, Act.REMOVE_COPY),
    # running twice: hands off
    (True, False, "none", RUNS, RUNS, 2, Act.FREEZE),
]


@pytest.mark.parametrize(("called", "cancel", "caller", "source", "target", "same_for", "act"), TABLE)
def test_the_next_act(
    called: bool, cancel: bool, caller: str, source: Seen, target: Seen, same_for: float, act: Act
) -> None:
    decision = next_act(
        called=called, cancel=cancel, caller=caller, source=source, target=target, same_for=same_for
    )
    assert decision.act == act


SIDES = [SILENT, EMPTY, RUNS, PAUSED, UNFINISHED, COPYING, SWITCHING, OTHER_JOB]


@pytest.mark.parametrize("target", SIDES)
@pytest.mark.parametrize("source", SIDES)
def test_nothing_running_is_ever_stopped_or_made_to_run_twice(source: Seen, target: Seen) -> None:
    for called in (False, True):
        for cancel in (False, True):
            act = next_act(
                called=called, cancel=cancel, caller="none", source=source, target=target, same_for=99
            ).act
            if act == Act.REMOVE_COPY:
                assert not target.running
            if act == Act.RESUME_TARGET:
                assert not target.incoming
                assert source.answered
                assert not source.process
            if act == Act.RESUME_SOURCE:
                assert target.answered
                assert not target.process
