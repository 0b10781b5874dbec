"""What a name or another text that people give may hold: what can be seen, and be told apart. Pure."""

from __future__ import annotations

import re
import unicodedata

#: Letters and signs by their category, of which nothing is seen; tags and variation selectors among them.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    chr(code) for span in ((0x180B, 0x1810), (0xFE00, 0xFE10), (0xE0000, 0xE1000)) for code in range(*span)
)
#: Vietnamese and Indic letters carry up to this many; more of them run over the lines above and below.
_MOST_MARKS = 3

#: With a letter: a number alone is an id wherever a node is named.
_NODE = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
BAD_NODE = (
    "A node's name has 1 to 60 letters, digits, dots, hyphens and underscores, a letter among them, and "
    "begins with a letter or a digit. Its short host name is a good one."
)


def tidy(name: str) -> str:
    """The same name in one spelling: composed letters, single blanks, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def trouble(name: str, whose: str, longest: int) -> str:
    """The rule that a tidy name breaks and what to do, as a sentence; or nothing. `whose`: "A token's"."""
    if wrong := unseen(name, f"{whose} name has", "the name"):
        return wrong
    if not 1 <= len(name) <= longest:
        return f"{whose} name has 1 to {longest} characters; this one has {len(name)}."
    if not any(char.isalnum() for char in name):
        return f"{whose} name has a letter or a digit in it. Add one."
    if _is_piled(name):
        return (
            f"In {whose[0].lower()}{whose[1:]} name each accent stands on a letter, at most {_MOST_MARKS} of "
            "them on one. Leave out those that are too many."
        )
    return ""


def unseen(text: str, who_has: str, what: str, *, also: str = "") -> str:
    """The same rule for any text ("A reason has", "the reason"). `also`: unseen ones that it may hold."""
    for at, char in enumerate(text, start=1):
        if char not in also and _is_unseen(char):
            return (
                f"{who_has} no invisible, control or direction characters; character {at} is "
                f"{_called(char)}. Type {what} by hand instead of pasting it."
            )
    return ""


def trouble_of_node(name: str) -> str:
    """The same for a node's name, which is typed in commands and addresses."""
    return "" if _NODE.fullmatch(name) else BAD_NODE


def seen_part(name: str) -> str:
    """What can be seen of a name that was refused, for the audit."""
    return "".join(char for char in name if not _is_unseen(char))


def _is_unseen(char: str) -> bool:
    # Categories C are controls, format and direction marks, halves of pairs and what is not assigned.
    category = unicodedata.category(char)
    return category[0] == "C" or (category[0] == "Z" and char != " ") or char in _BLANK


def _is_piled(name: str) -> bool:
    marks = _MOST_MARKS  # so that a name cannot begin with one
    for char in name:
        if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
            if marks >= _MOST_MARKS:
                return True
            marks += 1
        else:
            marks = 0 if char.isalnum() or unicodedata.category(char) == "Mc" else _MOST_MARKS
    return False


def _called(char: str) -> str:
    name = unicodedata.name(char, "")
    return f"U+{ord(char):04X}{f' ({name.lower()})' if name else ''}"
