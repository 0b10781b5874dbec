"""Sizes, times and sentences as administrators read them."""

from __future__ import annotations

import string

import pytest

from clustermgr.core import events, findings
from clustermgr.core.words import duration, memory, ordinal


@pytest.mark.parametrize(("mib", "text"), [(512, "512 MB"), (4096, "4 GB"), (4608, "4.5 GB"), (0, "0 MB")])
def test_memory(mib: float, text: str) -> None:
    assert memory(mib) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4 s"), (21.3, "21 s"), (200, "3 min 20 s"), (180, "3 min"), (7260, "2 h 1 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_ordinal(number: int, text: str) -> None:
    assert ordinal(number) == text


def test_an_event_of_a_newer_version_is_still_readable() -> None:
    assert events.sentence("disk_grew_ears", {}) == "disk grew ears"
    assert events.sentence("vm_started", {"vm": "web01"}) == "web01 was started on ?."


@pytest.mark.parametrize("text", [*events.SENTENCES.values(), *findings.SENTENCES.values()])
def test_every_sentence_is_a_sentence(text: str) -> None:
    assert text[-1] in ".}"
    assert [name for _, name, _, _ in string.Formatter().parse(text) if name == ""] == []
