"""The version of the interface that this process serves: a page of another one is asked to reload."""

from __future__ import annotations

import hashlib
from functools import cache

from django.conf import settings


@cache
def asset_version() -> str:
    """A digest of the project's own styles and scripts, read once per process."""
    digest = hashlib.sha256()
    for path in sorted((settings.BASE_DIR / "static").rglob("*")):
        if path.suffix in {".js", ".css", ".svg"}:
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
