"""Until when a call that changes something may be made: what a lease allows, handed down to whoever makes it.

A row cannot fence a call: one that is made too late would meet what the next owner of the operation did
meanwhile. So this is looked at last, right before the verb; a call that comes too late is not made at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from clustermgr import ports
from clustermgr.drivers.errors import TooLate

SENTENCE = "The call was not made: it came later than this worker may call. Nothing was begun."
_until: ContextVar[float] = ContextVar("until", default=float("inf"))


@contextmanager
def permitted(until: float) -> Iterator[None]:
    """Calls made within may change a host until then, by the clock that only goes forward."""
    before = _until.set(until)
    try:
        yield
    finally:
        _until.reset(before)


def seconds_left() -> float:
    """Raises TooLate when there are none."""
    left = _until.get() - ports.clock().monotonic()
    if left <= 0:
        raise TooLate(SENTENCE)
    return left


def moment() -> float | None:
    """The end of the permit by `boottime`, for another process of this machine; None: there is none. Raises
    TooLate."""
    left = seconds_left()
    return None if left == float("inf") else boottime() + left


def boottime() -> float:
    """Goes on while the machine sleeps, and is the same in each of its processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def check(until: float | None) -> None:
    """Raises TooLate after that moment (`moment`)."""
    if until is not None and boottime() >= until:
        raise TooLate(SENTENCE)
