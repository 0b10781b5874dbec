"""From a host's figures to the numbers of the bar (ui.md 2.7): what is shown never runs backwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

ETA_SMOOTHING_S = 5.0
AT_REST = {"rate": 0, "dirty_rate": 0, "eta_s": None}
STALLED_SAMPLES = 3


class Sample(Protocol):
    """A host's job: bytes, bytes per second, unix seconds."""

    at: float
    bytes_sent: int
    bytes_left: int
    bytes_total: int
    rate: float
    dirty_rate: float
    iteration: int


def figures(
    sample: Any, before: Mapping[str, Any], *, phase: str, span: tuple[float, float] = (0.0, 100.0)
) -> dict[str, Any]:
    """The figures of one operation after `sample`; `before` is what this function returned last, or {}.

    percent = sent / (sent + left), laid into `span` when this is one part of a longer work; it never falls.
    eta_s = left / (rate - dirty rate), smoothed over 5 s, None while unknown. `converging` turns False after
    three samples in which the guest changes memory at least as fast as the link carries it.
    """
    whole = sample.bytes_sent + sample.bytes_left
    done = sample.bytes_sent / whole if whole else 0.0
    percent = span[0] + (span[1] - span[0]) * done
    stalled = 0
    if sample.rate > 0 and sample.dirty_rate >= sample.rate:
        stalled = int(before.get("stalled", 0)) + 1
    return {
        "phase": phase,
        "percent": round(max(percent, float(before.get("percent", 0.0))), 1),
        "sent": sample.bytes_sent,
        "left": sample.bytes_left,
        "total": sample.bytes_total,
        "rate": round(sample.rate),
        "dirty_rate": round(sample.dirty_rate),
        "pass": sample.iteration,
        "eta_s": _eta(sample, before, span),
        "stalled": stalled,
        "converging": stalled < STALLED_SAMPLES,
        "at": sample.at,
    }


def ended(before: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    """The figures of an operation that is over: nothing moves any more; `whole`: and nothing is left."""
    if not before:
        return {}
    return {**before, **AT_REST, **({"percent": 100.0, "left": 0} if whole else {})}


def _eta(sample: Any, before: Mapping[str, Any], span: tuple[float, float]) -> float | None:
    gain = sample.rate - sample.dirty_rate
    if sample.rate <= 0 or gain <= 0:
        return None
    # What comes after this part of a longer work is taken to go at the same pace.
    whole = (sample.bytes_sent + sample.bytes_left) / (span[1] - span[0])
    fresh = float(sample.bytes_left / gain + whole * (100.0 - span[1]) / sample.rate)
    old = before.get("eta_s")
    if old is None:
        return round(fresh, 1)
    passed = max(0.0, sample.at - float(before.get("at", sample.at)))
    weight = min(1.0, passed / ETA_SMOOTHING_S)
    carried = max(0.0, float(old) - passed)
    return round(carried + (fresh - carried) * weight, 1)
