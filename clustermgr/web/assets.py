"""Addresses of styles, scripts and icons, with a digest of the file: no cache shows an older one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage


class NamedByContent(StaticFilesStorage):
    """Files are read once per process: only a restart lies between a change and the next page."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, str] = {}

    def url(self, name: str | None) -> str:
        name = name or ""
        if name not in self._known:
            self._known[name] = super().url(name) + _mark(name)
        return self._known[name]


def _mark(name: str) -> str:
    found = finders.find(name)
    if not isinstance(found, str) or not Path(found).is_file():
        return ""
    return f"?v={hashlib.sha256(Path(found).read_bytes()).hexdigest()[:8]}"
