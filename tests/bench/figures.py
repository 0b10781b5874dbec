"""One measured figure, its budget, and how figures are shown and kept. Measures nothing itself."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is None where nothing could be measured; `note` then says why. `budget`: the most that is
    allowed, or None where there is none. `command` measures it again."""

    name: str
    value: float | None
    unit: str
    budget: float | None = None
    command: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None or self.budget is None:
            return ""
        return "met" if self.value <= self.budget else "over"


def percentile(values: Sequence[float], share: float) -> float:
    """The least measured value that `share` (0..1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def interval(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    of: Callable[[Sequence[float], Sequence[float]], float],
    rounds: int = 2000,
) -> tuple[float, float]:
    """The 90 % bootstrap interval of `of(ours, theirs)`, pairs drawn together; the same for the same."""
    chance, pairs = random.Random(1), list(zip(ours, theirs, strict=True))
    found = []
    for _ in range(rounds):
        drawn = chance.choices(pairs, k=len(pairs))
        found.append(of([one for one, _ in drawn], [other for _, other in drawn]))
    return percentile(found, 0.05), percentile(found, 0.95)


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the pairs' ratios."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def shown(figures: Iterable[Figure]) -> str:
    """A table for the terminal."""
    lines = [("what", "measured", "budget", "", "")]
    for each in figures:
        value = "-" if each.value is None else f"{_number(each.value)} {each.unit}"
        budget = "" if each.budget is None else f"{_number(each.budget)} {each.unit}"
        lines.append((each.name, value, budget, each.verdict, each.note))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(
        f"{line[0]:<{widths[0]}}  {line[1]:>{widths[1]}}  {line[2]:>{widths[2]}}  {line[3]:<{widths[3]}}"
        f"  {line[4]}".rstrip()
        for line in lines
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def append(path: Path, figure: Figure) -> None:
    """At once, so that a section that is cut off keeps what it has."""
    with path.open("a") as file:
        file.write(json.dumps(asdict(figure)) + "\n")


def read(path: Path) -> list[Figure]:
    return [Figure(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def keep(path: Path, figures: Iterable[Figure]) -> None:
    """`var/bench.json`. A figure that was measured again takes its former place; the others stay."""
    names = ("name", "value", "unit", "budget", "command", "note")
    try:
        rows = {row["name"]: row for row in json.loads(path.read_text())}
    except (OSError, ValueError, TypeError, KeyError):
        rows = {}
    rows |= {each.name: {name: asdict(each)[name] for name in names} for each in figures}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(rows.values()), indent=1) + "\n")
