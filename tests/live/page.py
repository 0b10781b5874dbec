"""An old page to which frames are applied as live.js does, in small: rows by id, figures by `data-f`."""

from __future__ import annotations

import re
from typing import Any

from django.utils.html import escape


class Page:
    """The text of a page; every live row is a `<tr>`, and rows do not nest."""

    def __init__(self, text: str) -> None:
        self.text = text

    def row(self, name: str) -> str:
        found = re.search(rf'<tr id="{name}-row".*?</tr>', self.text, re.DOTALL)
        return _level(found.group()) if found else ""

    def apply(self, frame: dict[str, Any]) -> None:
        for part in frame.get("html", []):
            self._swap(part)
        for key, fields in frame.get("patch", []):
            if fields is not None:
                self._patch(key.replace(":", "-"), fields)

    def _swap(self, part: str) -> None:
        name = re.match(r'<tr id="([^"]+)"', part)
        assert name, part
        pattern = re.compile(rf'<tr id="{name.group(1)}".*?</tr>', re.DOTALL)
        self.text = pattern.sub(lambda _: part, self.text)

    def _patch(self, name: str, fields: dict[str, Any]) -> None:
        def cells(row: re.Match[str]) -> str:
            return re.sub(r'<(\w+)([^>]*) data-f="(\w+)"([^>]*)>([^<]*)', one, row.group())

        def one(cell: re.Match[str]) -> str:
            tag, before, field, after, text = cell.groups()
            if field in fields and tag == "progress":
                before = re.sub(r' value="[^"]*"', "", before) + f' value="{fields[field]:.1f}"'
            elif field in fields:
                text = escape(fields.get(f"{field}_text", fields[field]))
            return f'<{tag}{before} data-f="{field}"{after}>{text}'

        self.text = re.sub(rf'<tr id="{name}-row".*?</tr>', cells, self.text, flags=re.DOTALL)


def _level(html: str) -> str:
    return re.sub(r"\s+", " ", html)
