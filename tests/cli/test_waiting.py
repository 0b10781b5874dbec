"""clusterctl waits for what was ordered, also while the console itself restarts."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from clustermgr.cli.client import Refused
from clustermgr.cli.session import Session
from tests.fakes import VirtualClock

RUNNING = {
    "id": 7, "kind": "start", "vm_name": "web01", "source": "hv-01", "target": None, "state": "running",
    "phase": "starting", "outcome": "", "advice": "",
}  # fmt: skip
DONE = {**RUNNING, "state": "succeeded", "outcome": "web01 was started on hv-01."}
REFUSED = Refused("http://127.0.0.1:8000 does not answer: Connection refused. Is the console running?")
STARTING = Refused("The database cannot be reached.", status=503)
PROXY = Refused("The console answered 502 with something that is no answer of its API.", status=502)


class Console:
    """Answers one after the other; the last one again and again."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    def get(self, where: str, **query: Any) -> Any:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Refused):
            raise answer
        return answer


def waiting(*answers: Any) -> Session:
    args = Namespace(cluster="c1", json=False, wait=True)
    return Session(args, Console(*answers))  # type: ignore[arg-type]


@pytest.mark.parametrize("away", [REFUSED, STARTING, PROXY])
def test_a_restart_of_the_console_is_waited_for(
    away: Refused, clock: VirtualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert waiting(away, RUNNING, away, away, DONE).wait(RUNNING) == 0
    assert capsys.readouterr().out == "web01 was started on hv-01.\n"


def test_a_console_that_stays_away_costs_a_minute_and_the_operation_is_named(clock: VirtualClock) -> None:
    with pytest.raises(Refused) as given_up:
        waiting(REFUSED).wait(RUNNING)
    assert "does not answer" in given_up.value.sentences[0]
    assert given_up.value.sentences[1].endswith("clusterctl operation wait 7")
    assert clock.monotonic() == pytest.approx(1000 + 60, abs=2)


def test_a_refusal_is_no_restart(clock: VirtualClock) -> None:
    call = waiting(Refused("This token has ended.", status=401))
    with pytest.raises(Refused, match="has ended"):
        call.wait(RUNNING)
    assert call.client.asked == 1
