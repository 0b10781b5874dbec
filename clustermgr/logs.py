"""Log lines: what each is about (operation, VM, request …), as JSON or as text, and without secrets.

`with bound(operation=7):` names it in every line of this thread of work, whoever writes them.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

#: What a line may be about, in the order in which it is shown.
ABOUT = ("operation", "cluster", "vm", "node", "request", "user")
_about: ContextVar[dict[str, object] | None] = ContextVar("clustermgr_log_about", default=None)

SECRETS = re.compile(
    r"cmt_[0-9a-f]+"  # tokens of the API
    r"|(?<=/sign-in/)[^/\s\"'?]+"  # links that sign in
    r"|(?<=://)[^/@\s:]*:[^/@\s]+(?=@)"  # name and password in an address
    r"|(?<=Bearer )\S+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=passwd=['\"])[^'\"]+",  # of a graphics console, in a definition
    re.DOTALL,
)
HIDDEN = "(hidden)"

_ROLES = (
    (re.compile(r"clustermgr\.asgi"), "web"),
    (re.compile(r"drivers\.lab\.console"), "console"),
    (re.compile(r"(?:^|[ /])(worker|watch|beat)@"), ""),
    (re.compile(r"manage\.py (\w+)"), ""),
)


@contextmanager
def bound(**about: object) -> Iterator[None]:
    """Lines written inside are about these; empty values say nothing."""
    token = _about.set({**_now(), **_told(about)})
    try:
        yield
    finally:
        _about.reset(token)


def note(**about: object) -> None:
    """What became known meanwhile: until the end of the `bound` around it."""
    _about.set({**_now(), **_told(about)})


def known(name: str) -> str:
    """What the present work is about, such as its request; empty when nobody said."""
    return str(_now().get(name, ""))


def process_role(argv: Sequence[str]) -> str:
    """The name of this process from its command line, the same however it was started: web, worker …"""
    text = " ".join(argv)
    for pattern, role in _ROLES:
        if match := pattern.search(text):
            return role or match.group(1)
    return "program"


def hide(text: str) -> str:
    """The text without what must not stand in a log."""
    return SECRETS.sub(HIDDEN, text)


def about(record: logging.LogRecord) -> dict[str, object]:
    """What a record is about: said with it (`extra={"about": …}`), or known of the work around it."""
    found = {**_now(), **_told(getattr(record, "about", {}))}
    return {name: found[name] for name in ABOUT if name in found}


def _now() -> dict[str, object]:
    return _about.get() or {}


def _told(about: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in about.items() if value not in (None, "")}


class Text(logging.Formatter):
    """For people: level, logger, message, and what it is about at the end."""

    def format(self, record: logging.LogRecord) -> str:
        first, newline, rest = super().format(record).partition("\n")
        told = ", ".join(f"{name} {value}" for name, value in about(record).items())
        return hide(f"{first} [{told}]{newline}{rest}" if told else f"{first}{newline}{rest}")


class Json(logging.Formatter):
    """For programs: one object a line, whatever the message holds."""

    def __init__(self) -> None:
        super().__init__()
        self.role = process_role(sys.argv)

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": stamp(record.created),
            "level": record.levelname.lower(),
            "process": self.role,
            "pid": record.process,
            "logger": record.name,
            "message": hide(record.getMessage()),
            **about(record),
        }
        if record.exc_info:
            line["trace"] = hide(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def stamp(seconds: float) -> str:
    """Seconds since 1970 as 2026-03-02T12:00:00.250Z."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
