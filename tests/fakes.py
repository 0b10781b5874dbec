"""Stand-ins for the two ports: time that passes only when told to, and a runner that remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module


class VirtualClock:
    """A clock at noon of a fixed day. `sleep` moves it on at once, so code that waits ends at once."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._passed = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def database_now(self) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return 1000.0 + self._passed

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    def set_back(self, seconds: float) -> None:
        """What a person or a time service does to a machine's clock; time passes on as before."""
        self._start -= timedelta(seconds=seconds)

    def advance(self, seconds: float) -> None:
        self._passed += seconds


@dataclass(frozen=True, slots=True)
class Enqueued:
    task: str
    args: tuple[object, ...]
    queue: str


@dataclass
class RecordingRunner:
    """Keeps what was enqueued; `drain()` runs it in this thread, as a worker would, until nothing is left."""

    enqueued: list[Enqueued] = field(default_factory=list)

    def enqueue(
        self, task: str, *args: object, queue: str = "operations", expires: float | None = None
    ) -> None:
        self.enqueued.append(Enqueued(task, args, queue))

    def listening(self) -> set[str]:
        return {"operations", "watch", "engine", "default"}

    @property
    def names(self) -> list[str]:
        return [entry.task for entry in self.enqueued]

    def drain(self, *, limit: int = 1000) -> int:
        """Run what is enqueued and what that enqueues. `limit` stops two jobs that only wake each other."""
        done = 0
        while self.enqueued:
            if done >= limit:
                raise AssertionError(f"still busy after {limit} jobs: {self.names[:5]}")
            entry = self.enqueued.pop(0)
            module, _, name = entry.task.rpartition(".")
            getattr(import_module(module), name)(*entry.args)
            done += 1
        return done
