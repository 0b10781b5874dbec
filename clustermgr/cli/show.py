"""What is printed: tables, pairs, one line of progress. Text of others loses its control characters."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TextIO

from clustermgr.core import words

DASH = "–"


def plain(text: object) -> str:
    """Names and notes come from hosts and guests: none of them moves the cursor."""
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in str(text))


def as_json(found: Any) -> None:
    print(json.dumps(found, indent=2, ensure_ascii=False))


def table(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], *, out: TextIO | None = None
) -> None:
    """`columns`: key -> heading. Keys say how a value is shown: …_at is a time, …_mib is memory."""
    cells = [list(columns.values())]
    cells += [[value(key, row.get(key)).replace("\n", " · ") for key in columns] for row in rows]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    for line in cells:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(text.rstrip(), file=out or sys.stdout)


def pairs(found: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    width = max(map(len, columns.values()))
    for key, heading in columns.items():
        lines = value(key, found.get(key)).splitlines() or [DASH]
        print(f"{heading.ljust(width)}  {lines[0]}".rstrip())
        for line in lines[1:]:
            print(f"{' ' * width}  {line}")


def value(key: str, found: Any) -> str:
    if found is None or found in ("", [], {}):
        return DASH
    if key == "at" or key.endswith("_at"):
        return when(str(found))
    if key.endswith("_mib") and isinstance(found, int | float):
        return words.memory(found)
    if "percent" in key and isinstance(found, int | float):
        return f"{found:.0f}%"
    if key.endswith("_bytes"):
        return words.memory(found / (1 << 20))
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, Mapping):
        return plain(", ".join(f"{name}: {value(name, each)}" for name, each in found.items()))
    if isinstance(found, Sequence) and not isinstance(found, str):
        return plain(", ".join(value("", each) for each in found))
    if key == "state" or key.endswith("_state"):
        return words.state_word(plain(found))
    return plain(words.KINDS.get(str(found), str(found)) if key == "kind" else found)


def when(text: str) -> str:
    """In the time of this machine."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return plain(text)


def what(operation: Mapping[str, Any]) -> str:
    """ "Live migration of web01 to hv-02"."""
    kind = words.KINDS.get(str(operation.get("kind")), str(operation.get("kind")))
    target, source = operation.get("target"), operation.get("source")
    there = f" to {target}" if target and target != source else ""
    return plain(f"{kind} of {operation.get('vm_name')}{there}")


def progress(operation: Mapping[str, Any]) -> str:
    """One line of how far it is."""
    figures = operation.get("progress") or {}
    parts = [what(operation), str(operation.get("phase")).replace("_", " ")]
    if operation.get("state") == "queued":
        parts[1:] = ["queued" + (f": {operation['wait_reason']}" if operation.get("wait_reason") else "")]
    elif operation.get("percent") is not None:
        parts.append(f"{operation['percent']:.0f}%")
        if figures.get("rate"):
            parts.append(f"{words.memory(figures['rate'] / (1 << 20))}/s")
        if figures.get("eta_s") is not None:
            parts.append(f"about {words.duration(figures['eta_s'])} left")
    return plain("  ".join(parts)).replace("\n", " ")
