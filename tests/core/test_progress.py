"""The numbers of the bar."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from clustermgr.core.progress import ended, figures

MB = 1 << 20


@dataclass
class Sample:
    at: float = 0.0
    bytes_sent: int = 0
    bytes_left: int = 0
    bytes_total: int = 4096 * MB
    rate: float = 0.0
    dirty_rate: float = 0.0
    iteration: int = 1


def test_the_bar_is_what_was_sent_of_what_was_and_will_be_sent() -> None:
    assert figures(Sample(bytes_sent=1 * MB, bytes_left=3 * MB), {}, phase="copying")["percent"] == 25.0


def test_before_anything_is_known_it_stands_at_zero() -> None:
    first = figures(Sample(), {}, phase="preparing")
    assert (first["percent"], first["eta_s"], first["converging"]) == (0.0, None, True)


def test_the_time_left_takes_the_guests_own_writing_into_account() -> None:
    sample = Sample(bytes_left=600 * MB, rate=110 * MB, dirty_rate=50 * MB)
    assert figures(sample, {}, phase="copying")["eta_s"] == 10.0


def test_the_first_half_of_a_longer_work_counts_the_second_as_well() -> None:
    sample = Sample(bytes_sent=500 * MB, bytes_left=500 * MB, rate=100 * MB)
    shown = figures(sample, {}, phase="saving", span=(0.0, 50.0))
    assert (shown["percent"], shown["eta_s"]) == (25.0, 15.0)


def test_what_is_over_moves_no_more() -> None:
    last = figures(Sample(bytes_sent=3, bytes_left=1, rate=8.0), {}, phase="copying")
    assert ended(last, whole=False) == {**last, "rate": 0, "dirty_rate": 0, "eta_s": None}
    assert (ended(last, whole=True)["percent"], ended(last, whole=True)["left"]) == (100.0, 0)
    assert ended({}, whole=True) == {}


def test_after_three_samples_without_gain_it_does_not_converge() -> None:
    seen: dict = {}
    for second in range(3):
        sample = Sample(at=second, bytes_left=MB, rate=380 * MB, dirty_rate=410 * MB)
        seen = figures(sample, seen, phase="copying")
    assert seen["converging"] is False
    assert seen["eta_s"] is None


@given(st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 40)), max_size=20))
def test_it_never_runs_backwards_and_never_passes_its_end(samples: list[tuple[int, int]]) -> None:
    shown: dict = {}
    for at, (sent, left) in enumerate(samples):
        before = shown.get("percent", 0.0)
        shown = figures(Sample(at=at, bytes_sent=sent, bytes_left=left), shown, phase="copying")
        assert before <= shown["percent"] <= 100.0
