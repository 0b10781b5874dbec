"""Classes of duration: the least bound that is not exceeded."""

from __future__ import annotations

import pytest

from clustermgr.core.tallies import BOUNDS_S, LONGER, NEVER_BEGAN, duration_class


@pytest.mark.parametrize(
    ("seconds", "within"),
    [(0.0, "1.0"), (1.0, "1.0"), (1.001, "2.5"), (60, "60.0"), (14400.1, LONGER), (None, NEVER_BEGAN)],
)
def test_a_duration_falls_into_one_class(seconds, within):
    assert duration_class(seconds) == within


def test_classes_grow():
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))
