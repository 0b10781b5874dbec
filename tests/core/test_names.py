"""Names that people give: one rule, and a sentence that says what broke it."""

from __future__ import annotations

import pytest

from clustermgr.core import names, settings_rules


def of_token(name: str) -> str:
    return names.trouble(names.tidy(name), "A token's", 60)


@pytest.mark.parametrize(
    "name",
    ["PROD-CL1", "nightly report", "Zürich", "Ho\u0302\u0300 Chi\u0301", "北京 2", "हिन्दी", "café ☕ 1"],
)
def test_names_that_can_be_read_are_good(name: str) -> None:
    assert of_token(name) == ""


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("web\u200b01", "character 4 is U+200B (zero width space)"),
        ("web\u202e01", "character 4 is U+202E (right-to-left override)"),
        ("web\u00ad01", "character 4 is U+00AD (soft hyphen)"),
        ("\ufeffweb", "character 1 is U+FEFF (zero width no-break space)"),
        ("web\u2066x", "character 4 is U+2066 (left-to-right isolate)"),
        ("web\x07", "character 4 is U+0007"),
        ("\u3164", "character 1 is U+3164 (hangul filler)"),
        ("web\u2800", "character 4 is U+2800 (braille pattern blank)"),
        ("a\ufe0f", "character 2 is U+FE0F (variation selector-16)"),
        ("web\U000e0041", "character 4 is U+E0041 (tag latin capital letter a)"),
    ],
)
def test_what_cannot_be_seen_is_named_with_its_place(name: str, called: str) -> None:
    said = of_token(name)
    assert called in said
    assert said.endswith("Type the name by hand instead of pasting it.")


@pytest.mark.parametrize("name", ["\u0301\u0301", "\u0301web", "z\u0335\u0336\u0337\u0338", "- \u0301a"])
def test_accents_stand_on_letters(name: str) -> None:
    assert "accent" in of_token(name) or "a letter or a digit" in of_token(name)


def test_a_name_has_a_letter_or_a_digit_and_an_end() -> None:
    assert of_token("---") == "A token's name has a letter or a digit in it. Add one."
    assert of_token("  ") == "A token's name has 1 to 60 characters; this one has 0."
    assert of_token("x" * 61) == "A token's name has 1 to 60 characters; this one has 61."


def test_one_name_has_one_spelling() -> None:
    assert names.tidy(" Zu\u0308rich \u00a0 2 ") == "Zürich 2"


@pytest.mark.parametrize("name", ["hv-01", "1a", "kvm_01.example"])
def test_a_nodes_name_can_be_typed(name: str) -> None:
    assert names.trouble_of_node(name) == ""


@pytest.mark.parametrize("name", ["", "12", "-a", "hv\u200b01", "hv 01", "hü", "a" * 61])
def test_a_nodes_name_is_of_plain_letters(name: str) -> None:
    assert names.trouble_of_node(name) == names.BAD_NODE


def test_the_audit_shows_what_can_be_seen_of_it() -> None:
    assert names.seen_part("we\u200bb\u202e") == "web"


def test_notes_may_hold_lines_and_emoji_and_no_direction() -> None:
    for good in ("two\nlines\tand a\u00a0blank", "\u26a0\ufe0f \U0001f469\u200d\U0001f4bb"):
        assert settings_rules.clean({"notes": good}, node="n", node_memory_mib=1, node_cpus=1)[1] == []
    (found,) = settings_rules.clean({"notes": "a\u202eb"}, node="n", node_memory_mib=1, node_cpus=1)[1]
    assert "character 2 is U+202E" in found.sentence
