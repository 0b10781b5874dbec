"""A running operation's figures as the fields of its row: what `data-f` names, in the row's own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clustermgr.core import words


def fields(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {"percent": figures.get("percent"), "phase": words.state_word(str(figures.get("phase", "")))}


def patches(operations: Iterable[tuple[int, int, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """(operation, vm, figures) -> the fields of both rows that show them."""
    patch: dict[str, dict[str, Any]] = {}
    for operation, vm, figures in operations:
        if figures:
            patch[f"operation:{operation}"] = patch[f"vm:{vm}"] = fields(figures)
    return patch
