"""A running operation's figures as the fields of its rows: what `data-f` names, in the rows' own words.

The words come from the filters of the templates, so that a patched row reads like a fresh one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.template.loader import render_to_string

NAMES = ("phase", "pass", "percent", "sent", "left", "total", "rate", "dirty_rate", "eta_s")


def fields(figures: Mapping[str, Any]) -> dict[str, Any]:
    """`percent` is the bar's number, `at` the host's time of the sample (unix seconds), by which `make bench`
    tells how late a page is; `percent_text` and all others are texts."""
    known = {name: figures.get(name) for name in NAMES}
    lines = render_to_string("parts/_figures.txt", {"p": known}).splitlines()
    texts: dict[str, Any] = dict(line.split("=", 1) for line in lines if "=" in line)
    return {"percent": known["percent"], "at": figures.get("at"), **texts}


def patches(operations: Iterable[tuple[int, int | None, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """(operation, vm, figures) -> the fields of both rows that show them."""
    patch: dict[str, dict[str, Any]] = {}
    for operation, vm, figures in operations:
        if figures:
            patch[f"operation:{operation}"] = patch[f"vm:{vm}"] = fields(figures)
    return patch
