"""How long operations took, in classes that several processes can count together. Pure."""

from __future__ import annotations

from bisect import bisect_left

#: Upper bounds of the classes, in seconds: from a start that is over at once to a move of hours.
BOUNDS_S = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0)
#: The class of what took longer than every bound, as Prometheus writes it.
LONGER = "+Inf"
#: The class of what ended before it began: it took no time that could be compared.
NEVER_BEGAN = ""


def duration_class(seconds: float | None) -> str:
    """The least upper bound that `seconds` does not exceed, as text; NEVER_BEGAN for None.

    0.4 -> "1.0", 60 -> "60.0", 100000 -> "+Inf".
    """
    if seconds is None:
        return NEVER_BEGAN
    place = bisect_left(BOUNDS_S, seconds)
    return str(BOUNDS_S[place]) if place < len(BOUNDS_S) else LONGER
