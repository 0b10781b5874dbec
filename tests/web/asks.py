"""How the tests ask: as htmx does for panes, for a dialog and for a region; and what stands in an answer."""

from __future__ import annotations

import html
import re
from typing import Any

PANES = {"HX-Request": "true", "HX-Target": "panes"}
DIALOG = {"HX-Request": "true", "HX-Target": "dialog-body"}
REGION = {"HX-Request": "true"}
SCRIPT = "<script>alert(1)</script>"


def text_of(response: Any) -> str:
    """What a reader sees: without tags, with entities read."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", source_of(response))))


def source_of(response: Any) -> str:
    return str(response.content.decode())
