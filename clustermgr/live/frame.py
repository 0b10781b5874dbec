"""What one batch to the browsers holds (ui.md 3.1), how two become one, and what it looks like on the wire.

Pure values: no clock, no database, no sockets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: A frame that says "fetch everything again": the way out of every doubt.
EVERYTHING = "*"
#: Beyond this many entries a frame is worth less than a fresh page.
MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Frame:
    """`patch`: subject -> fields, or None where its figures ended; `html`: subject -> rendered row."""

    cur: int
    at: str
    patch: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    html: Mapping[str, str] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    say: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """A heartbeat: nothing but the cursor and the time."""
        return not (self.patch or self.html or self.stale or self.say)

    def text(self) -> str:
        body: dict[str, Any] = {"cur": self.cur, "at": self.at}
        if self.patch:
            body["patch"] = [[key, fields] for key, fields in self.patch.items()]
        if self.html:
            body["html"] = list(self.html.values())
        if self.stale:
            body["stale"] = list(self.stale)
        if self.say:
            body["say"] = " ".join(self.say)
        return json.dumps(body, separators=(",", ":"))

    def then(self, later: Frame) -> Frame:
        """Both in one, the later winning; too much of it becomes "fetch everything again"."""
        stale = tuple(dict.fromkeys((*self.stale, *later.stale)))
        merged = Frame(
            cur=max(self.cur, later.cur),
            at=max(self.at, later.at),
            patch={**self.patch, **later.patch},
            html={**self.html, **later.html},
            stale=(EVERYTHING,) if EVERYTHING in stale else stale,
            say=tuple(dict.fromkeys((*self.say, *later.say)))[-3:],
        )
        entries = len(merged.patch) + len(merged.html) + len(merged.stale)
        return replace(merged, html={}, stale=(EVERYTHING,)) if entries > MOST_ENTRIES else merged


def everything_stale(cur: int, at: str) -> Frame:
    return Frame(cur=cur, at=at, stale=(EVERYTHING,))
