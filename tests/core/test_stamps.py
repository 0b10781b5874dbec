"""What a stamp that was read means: ours, to be written, or somebody else's."""

from __future__ import annotations

import pytest

from clustermgr.core.stamps import Identity, Mark, Stamp, parse, read, rivals, was_ours

ME = Identity("me", 3, {"old": 7})
VM = "0c1d"


@pytest.mark.parametrize(
    ("texts", "mark"),
    [
        (("manager=me epoch=3 vm=0c1d", None), Mark.OURS),
        (("manager=me epoch=3 vm=0c1d", "manager=me epoch=3 vm=0c1d"), Mark.OURS),
        (("", None), Mark.MISSING),
        (("manager=me epoch=3 vm=0c1d", ""), Mark.MISSING),  # the process lacks it
        (("manager=me epoch=2 vm=0c1d", None), Mark.MISSING),  # ours, from before a take-over
        (("manager=me epoch=4 vm=0c1d", None), Mark.RIVAL),  # a newer twin
        (("manager=other epoch=1 vm=0c1d", None), Mark.RIVAL),
        (("manager=me epoch=3 vm=0c1d", "manager=other epoch=1 vm=0c1d"), Mark.RIVAL),
        (("manager=other epoch=9 vm=ffff", None), Mark.MISSING),  # a clone of another's machine
        (("manager=old epoch=7 vm=0c1d", None), Mark.MISSING),  # taken over from
        (("manager=old epoch=8 vm=0c1d", None), Mark.RIVAL),  # it took over again
        (("manager=other epoch=many vm=0c1d", None), Mark.MISSING),
        (("nonsense", None), Mark.MISSING),
    ],
)
def test_what_a_stamp_means(texts: tuple[str | None, ...], mark: Mark) -> None:
    assert read(ME, VM, texts)[0] == mark


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("manager=me epoch=3 vm=0c1d", True),
        ("manager=me epoch=1 vm=0c1d", True),  # from before a take-over
        ("manager=old epoch=7 vm=0c1d", True),  # taken over from
        ("manager=me epoch=4 vm=0c1d", False),
        ("manager=other epoch=1 vm=0c1d", False),
        ("manager=me epoch=3 vm=ffff", False),  # a clone of another machine of ours
        ("", False),
        (None, False),
    ],
)
def test_who_put_a_definition_there(text: str | None, ours: bool) -> None:
    assert was_ours(ME, VM, text) == ours


def test_a_rival_comes_with_its_stamp() -> None:
    assert read(ME, VM, ["", "manager=other epoch=5 vm=0C1D"]) == (Mark.RIVAL, Stamp("other", 5, VM))


def test_a_stamp_reads_as_it_was_written() -> None:
    stamp = parse(ME.stamp(VM))
    assert stamp == Stamp("me", 3, VM)
    assert stamp.text == ME.stamp(VM)


def test_of_each_rival_the_highest_epoch_counts() -> None:
    seen = [Stamp("a", 2, "x"), Stamp("b", 1, "x"), Stamp("a", 5, "y"), Stamp("a", 3, "z")]
    assert rivals(seen) == {"a": 5, "b": 1}
