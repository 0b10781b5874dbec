"""What is new in one cluster since the last frame: the newest value per subject, and whether news was lost.

Pure: it is told what arrived and what the database says; it neither waits nor asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clustermgr.notices import Changed, Progress

#: Settled operations that are remembered, so that a late sample does not wake their bars again.
REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class Taken:
    """What one frame tells. `lost`: everything must be fetched again."""

    subjects: list[str]
    samples: list[str]
    progress: list[Progress]
    lost: bool


@dataclass(slots=True)
class News:
    """`cursor`: every version up to here was heard of. `told`: what the browsers know."""

    cursor: int
    told: int
    subjects: dict[str, None] = field(default_factory=dict)
    samples: dict[str, None] = field(default_factory=dict)
    figures: dict[int, Progress] = field(default_factory=dict)
    lost: bool = False
    _ahead: set[int] = field(default_factory=set)
    _seen_in_database: int = 0
    _settled: dict[int, None] = field(default_factory=dict)
    _shapes: dict[int, tuple[object, ...]] = field(default_factory=dict)

    @classmethod
    def since(cls, version: int) -> News:
        return cls(cursor=version, told=version, _seen_in_database=version)

    @property
    def waiting(self) -> bool:
        return bool(self.subjects or self.samples or self.figures or self.lost or self.cursor > self.told)

    def changed(self, notice: Changed) -> None:
        """Commits of several processes may arrive in any order: a hole keeps the cursor below it.
        A notice of a version already told brings samples (processor, memory) of unchanged rows."""
        if notice.version <= self.cursor:
            self.samples.update(dict.fromkeys(notice.subjects))
        else:
            self.subjects.update(dict.fromkeys(notice.subjects))
            self._ahead.add(notice.version)
            while self.cursor + 1 in self._ahead:
                self.cursor += 1
                self._ahead.discard(self.cursor)

    def progress(self, notice: Progress) -> None:
        """The newest figures; where a row shows other *parts* with them, the row itself is news too."""
        if notice.operation in self._settled:
            return
        self.figures[notice.operation] = notice
        shape = _shape(notice.figures)
        if self._shapes.get(notice.operation) != shape:
            self._shapes[notice.operation] = shape
            self.subjects[f"operation:{notice.operation}"] = None

    def settled(self, operations: list[int]) -> None:
        self._settled.update(dict.fromkeys(operations))
        for operation in operations:
            self._shapes.pop(operation, None)
        for operation in list(self._settled)[:-REMEMBERED]:
            del self._settled[operation]

    def compare(self, version: int, *, patient: bool) -> None:
        """What the database says, once a second. A notice gets until the next look to arrive, unless
        none can (`patient` is False while Redis is away)."""
        if self.cursor < (self._seen_in_database if patient else version):
            self.lost = True
            self.cursor = version
            self._ahead.clear()
        self._seen_in_database = version

    def take(self) -> Taken:
        """All of it; then nothing is new."""
        samples = [subject for subject in self.samples if subject not in self.subjects]
        taken = Taken(list(self.subjects), samples, list(self.figures.values()), self.lost)
        self.subjects, self.samples, self.figures, self.lost = {}, {}, {}, False
        self.told = self.cursor
        return taken


def _shape(figures: Mapping[str, object]) -> tuple[object, ...]:
    """Which parts a row has beyond its figures: a first pass, a size, the warning that it stalls."""
    known = tuple(bool(figures.get(name)) for name in ("total", "pass"))
    return (*known, figures.get("percent") is not None, figures.get("converging", True))
