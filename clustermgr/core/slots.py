"""Who may migrate live now: one place per node by default, counted for moves to *and* from it.

Waiters go by priority, then age. A later one never overtakes an earlier one that shares a node with it, so
nobody starves and "2nd in line" is true. Nobody holds half a pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clustermgr.core.words import ordinal


@dataclass(frozen=True, slots=True)
class Waiter:
    operation: int
    vm: str
    nodes: tuple[int, int]
    rank: int
    order: int  # grows with age: the smaller, the older


@dataclass(frozen=True, slots=True)
class Place:
    """A taken slot. `unseen`: its move has ended, and this node has not answered since (safety.md 2.6)."""

    node: int
    number: int
    vm: str
    unseen: bool = False


@dataclass(slots=True)
class Admission:
    granted: dict[int, dict[int, int]] = field(default_factory=dict)  # operation -> node -> slot number
    reasons: dict[int, str] = field(default_factory=dict)  # operation -> why it waits


def admit(
    waiters: Sequence[Waiter], taken: Sequence[Place], *, limit: int, names: Mapping[int, str]
) -> Admission:
    """Slots for those that may begin, and for every other waiter the reason. `names`: node id -> name."""
    result = Admission()
    used: dict[int, dict[int, str]] = {}
    for place in taken:
        words = f"{place.vm} (it has not answered since)" if place.unseen else place.vm
        used.setdefault(place.node, {})[place.number] = words
    queues: dict[int, list[str]] = {}
    for waiter in sorted(waiters, key=lambda w: (-w.rank, w.order)):
        numbers = {node: _free_number(used.get(node, {}), limit) for node in waiter.nodes}
        ahead = [node for node in waiter.nodes if queues.get(node)]
        free = {node: number for node, number in numbers.items() if number is not None}
        if len(free) == len(numbers) and not ahead:
            result.granted[waiter.operation] = free
            for node, number in free.items():
                used.setdefault(node, {})[number] = waiter.vm
            continue
        full = [node for node, number in numbers.items() if number is None]
        result.reasons[waiter.operation] = _reason(full, ahead, used, queues, names)
        for node in waiter.nodes:
            queues.setdefault(node, []).append(waiter.vm)
    return result


def _free_number(taken: Mapping[int, str], limit: int) -> int | None:
    # After the limit was lowered, numbers above it may still be taken: what counts is how many are.
    if len(taken) >= limit:
        return None
    return next((number for number in range(1, limit + 1) if number not in taken), None)


def _reason(
    full: Sequence[int],
    ahead: Sequence[int],
    used: Mapping[int, Mapping[int, str]],
    queues: Mapping[int, Sequence[str]],
    names: Mapping[int, str],
) -> str:
    position = max((len(queues.get(node, ())) for node in (*full, *ahead)), default=0) + 1
    if full:
        node = full[0]
        moving = ", ".join(sorted(used[node].values()))
        return f"{names[node]} is moving {moving}; {ordinal(position)} in line"
    node = ahead[0]
    return f"{queues[node][0]} waits for {names[node]} before this; {ordinal(position)} in line"
