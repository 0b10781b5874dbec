"""A second manager with a database of its own, in the same thread: `with second_manager(path): …`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper


@contextmanager
def second_manager(file: Path) -> Iterator[None]:
    """What happens inside happens in the SQLite database `file`; it stays there for the next time."""
    first = connections["default"]
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file), "OPTIONS": {}}
    second = DatabaseWrapper({**first.settings_dict, **sqlite}, alias="default")
    connections["default"] = second
    try:
        yield
    finally:
        connections["default"] = first
        second.close()
