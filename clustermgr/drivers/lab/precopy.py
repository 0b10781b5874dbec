"""The arithmetic of a live migration: rounds of copying, then the switch. Pure; a function of time.

Sizes are bytes, rates bytes per second, times unix seconds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

_SWITCH_BELOW_S = 0.3  # the switch begins when the rest needs no longer than this
_SWITCH_FLOOR_S = 0.1
_THROTTLE_AFTER = 3  # rounds; a guest that writes too fast is slowed down from here on
_THROTTLE_FIRST, _THROTTLE_STEP, _THROTTLE_MOST = 0.2, 0.1, 0.99


@dataclass(frozen=True, slots=True)
class Leg:
    """One round (or the rest of one) at constant rates."""

    at: float
    seconds: float
    size: int
    iteration: int
    dirty: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole migration. `switch_at` is None for one that never converges: its last leg repeats."""

    begun: float
    bandwidth: float
    total: int
    sent_before: int
    legs: tuple[Leg, ...]
    switch_at: float | None
    end_at: float | None
    switch_size: int
    stalled_at: float | None = None  # the link between the two hosts is lost since

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Plan:
        values = json.loads(text)
        values["legs"] = tuple(Leg(**leg) for leg in values["legs"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Progress:
    sent: int = 0
    left: int = 0
    iteration: int = 0
    rate: float = 0.0
    dirty: float = 0.0
    switching: bool = False


def lay_out(
    *, begun: float, setup: float, total: int, dirty: float, bandwidth: float, endless: bool = False
) -> Plan:
    """Plan a migration of `total` bytes of memory that the guest dirties at `dirty` bytes per second."""
    blank = Plan(begun, bandwidth, total, 0, (), None, None, 0)
    return _rounds(
        blank, at=begun + setup, size=total, carried=0.0, iteration=1, dirty=dirty, endless=endless
    )


def change_dirty_rate(plan: Plan, now: float, dirty: float, *, endless: bool = False) -> Plan:
    """The same migration after the guest changed its pace; unchanged once the switch has begun."""
    if plan.switch_at is not None and now >= plan.switch_at:
        return plan
    leg = _leg_at(plan, now)
    if now <= leg.at:
        size, carried, at = leg.size, 0.0, leg.at
        sent = plan.sent_before
    else:
        seen = progress(plan, now)
        size, sent, at = max(1, seen.left), seen.sent, now
        carried = leg.dirty * (now - leg.at)
    base = replace(plan, sent_before=sent, legs=())
    return _rounds(
        base, at=at, size=size, carried=carried, iteration=leg.iteration, dirty=dirty, endless=endless
    )


def shift(plan: Plan, seconds: float) -> Plan:
    """The same migration after it stood still for `seconds`."""
    return replace(
        plan,
        legs=tuple(replace(leg, at=leg.at + seconds) for leg in plan.legs),
        stalled_at=None,
        switch_at=None if plan.switch_at is None else plan.switch_at + seconds,
        end_at=None if plan.end_at is None else plan.end_at + seconds,
    )


def progress(plan: Plan, now: float) -> Progress:
    """The figures at one moment; all 0 while the target is set up."""
    if plan.stalled_at is not None and now > plan.stalled_at:
        return replace(progress(plan, plan.stalled_at), rate=0.0)
    if now < plan.legs[0].at:
        return Progress()
    if plan.switch_at is not None and plan.end_at is not None and now >= plan.switch_at:
        part = min(1.0, (now - plan.switch_at) / (plan.end_at - plan.switch_at))
        sent = plan.sent_before + sum(leg.size for leg in plan.legs) + int(plan.switch_size * part)
        left = plan.switch_size - int(plan.switch_size * part)
        return Progress(sent, left, plan.legs[-1].iteration + 1, plan.bandwidth, 0.0, True)
    leg = _leg_at(plan, now)
    done = min(leg.size, int((now - leg.at) * plan.bandwidth))
    sent = plan.sent_before + done + sum(other.size for other in plan.legs if other.iteration < leg.iteration)
    repeats = leg.iteration - plan.legs[-1].iteration
    if repeats > 0:
        sent += (repeats - 1) * leg.size
    return Progress(sent, leg.size - done, leg.iteration, plan.bandwidth, leg.dirty)


def _leg_at(plan: Plan, now: float) -> Leg:
    last = plan.legs[-1]
    if plan.switch_at is None and now >= last.at + last.seconds:
        turns = int((now - last.at) / last.seconds)
        return replace(last, at=last.at + turns * last.seconds, iteration=last.iteration + turns)
    return max((leg for leg in plan.legs if leg.at <= now), key=lambda leg: leg.at, default=plan.legs[0])


def _rounds(
    base: Plan, *, at: float, size: int, carried: float, iteration: int, dirty: float, endless: bool
) -> Plan:
    legs: list[Leg] = []
    pace, throttle = (max(dirty, base.bandwidth), 0.0) if endless else (dirty, 0.0)
    while True:
        seconds = size / base.bandwidth
        legs.append(Leg(at, seconds, size, iteration, pace))
        at += seconds
        dirtied = min(base.total, int(carried + pace * seconds))
        if endless and dirtied >= size and len(legs) > 1:
            return replace(base, legs=tuple(legs), switch_at=None, end_at=None, switch_size=0)
        if not endless and dirtied <= base.bandwidth * _SWITCH_BELOW_S:
            end = at + dirtied / base.bandwidth + _SWITCH_FLOOR_S
            return replace(base, legs=tuple(legs), switch_at=at, end_at=end, switch_size=dirtied)
        if not endless and iteration >= _THROTTLE_AFTER and dirtied > size * 0.8:
            throttle = min(_THROTTLE_MOST, throttle + _THROTTLE_STEP if throttle else _THROTTLE_FIRST)
            pace = dirty * (1 - throttle)
            if throttle == _THROTTLE_MOST:
                pace = min(pace, base.bandwidth / 2)  # hardly any processor time is left to it
        size, carried, iteration = max(1, dirtied), 0.0, iteration + 1
