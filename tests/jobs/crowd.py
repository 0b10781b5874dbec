"""A worker's threads under virtual time: what may run does, a step at a time, and the rest stands in line."""

from __future__ import annotations

from importlib import import_module

import pytest

from clustermgr.actions import leases
from clustermgr.jobs import threads
from clustermgr.jobs.engine import decide_all
from clustermgr.jobs.operations import Carrier, reap
from clustermgr.jobs.threads import Errand, Places
from clustermgr.jobs.work import Work
from clustermgr.models import Operation
from clustermgr.ports import new_id
from tests.fakes import Enqueued
from tests.jobs.conftest import Stage
from tests.jobs.test_watch import Watch


class Crowd:
    """The watch looks, beat sends, the engine decides, and one worker's threads carry orders."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage, self.places, self.watch = stage, Places(), Watch(stage)
        self.carriers: dict[Carrier, float] = {}  # each with the time of its next step
        self.most_waiting = self.most_taken = 0
        monkeypatch.setattr(threads, "PLACES", self.places)

    def seconds(self, count: int) -> None:
        for second in range(count):
            if second % 2 == 0:
                reap()
            if second % 5 == 0:
                decide_all()
            self._messages()
            self._turns()
            self.most_waiting = max(self.most_waiting, self.places.waiting)
            self.most_taken = max(self.most_taken, self.places.taken)
            self.watch.seconds(1)

    def _messages(self) -> None:
        while self.stage.runner.enqueued:
            message = self.stage.runner.enqueued.pop(0)
            module, _, name = message.task.rpartition(".")
            if message.task == threads.DRIVE:
                self._drive(message)
            else:  # short: it finds a thread at once
                getattr(import_module(module), name)(*message.args)

    def _drive(self, message: Enqueued) -> None:
        limit = threads.limit_of(message.task, message.queue)
        assert limit is not None
        errand = Errand(message.task, message.args, self._begin)
        if self.places.enter(errand, limit):
            self._serve(errand)

    def _serve(self, errand: Errand | None) -> None:
        """A thread takes an errand, and the next one when there is nothing to do."""
        while errand is not None and not self._begin(*errand.args):
            errand = self.places.leave()

    def _begin(self, operation: int) -> bool:
        owner = new_id()
        if not leases.claim(operation, owner):
            return False
        self.carriers[Carrier(Work(operation, owner))] = self.stage.clock.monotonic()
        return True

    def _turns(self) -> None:
        """Up to four steps of each within this second."""
        now = self.stage.clock.monotonic()
        for _ in range(4):
            for carrier in [each for each, due in self.carriers.items() if due < now + 1]:
                self._turn(carrier)

    def _turn(self, carrier: Carrier) -> None:
        try:
            pause = carrier.turn()
        except leases.LeaseLost:
            pause = None
        if pause is not None:
            self.carriers[carrier] += max(pause, 0.01)
            return
        del self.carriers[carrier]
        carrier.close()
        self._serve(self.places.leave())


def parked() -> int:
    return Operation.objects.filter(state="running", lease_owner="", due_at__isnull=False).count()
