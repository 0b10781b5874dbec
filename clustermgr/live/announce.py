"""Sentences for the page's polite announcer (ui.md 3.6): starts, 50 %, ends; at most once in ten seconds."""

from __future__ import annotations

from dataclasses import dataclass

from clustermgr.core.states import SETTLED, OperationState
from clustermgr.core.words import KINDS

PAUSE_S = 10.0
MERGED = 3

ENDS = {
    OperationState.SUCCEEDED: "done",
    OperationState.FAILED: "failed",
    OperationState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a sentence needs of an operation."""

    operation: int
    kind: str
    vm: str
    state: str

    @property
    def name(self) -> str:
        return f"{KINDS.get(self.kind, self.kind)} of {self.vm}"


class Announcer:
    """Remembers what was said of each operation; `due` gives the latest sentences once it is time."""

    def __init__(self) -> None:
        self._known: dict[int, Told] = {}
        self._half_said: set[int] = set()
        self._waiting: list[str] = []
        self._next_at = 0.0

    def changed(self, told: Told) -> None:
        before = self._known.get(told.operation)
        if told.state in SETTLED:
            self._known.pop(told.operation, None)
            self._half_said.discard(told.operation)
            if before is not None:
                self._waiting.append(f"{told.name}: {ENDS[OperationState(told.state)]}.")
            return
        self._known[told.operation] = told
        if told.state == OperationState.RUNNING and (before is None or before.state != told.state):
            self._waiting.append(f"{told.name}: started.")

    def figures(self, operation: int, percent: float) -> None:
        told = self._known.get(operation)
        if told and percent >= 50 and operation not in self._half_said:
            self._half_said.add(operation)
            self._waiting.append(f"{told.name}: 50 percent.")

    def due(self, now: float) -> tuple[str, ...]:
        if not self._waiting or now < self._next_at:
            return ()
        said, self._waiting = tuple(self._waiting[-MERGED:]), []
        self._next_at = now + PAUSE_S
        return said
