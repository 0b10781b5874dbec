"""Rules of the settings form: types and limits, each broken rule as a sentence with the rule and the fix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clustermgr.core.findings import Finding, field_finding
from clustermgr.core.names import unseen
from clustermgr.core.states import OfflineAction, Priority
from clustermgr.core.words import memory

#: Fields that live on the host; the others are the cluster's alone.
HOST_FIELDS = ("memory_mib", "vcpus", "notes")
CLUSTER_FIELDS = ("offline_action", "priority")
FIELDS = HOST_FIELDS + CLUSTER_FIELDS

LABELS = {
    "memory_mib": "Memory",
    "vcpus": "Processors",
    "notes": "Notes",
    "offline_action": "Offline action",
    "priority": "Startup priority",
}
MIN_MEMORY_MIB = 32  # Hyper-V's least, ui.md 4
MAX_NOTES_BYTES = 8 * 1024
#: Lines, columns, the blanks of word processors and other languages, and what joins letters and emoji.
IN_NOTES = "\n\t\u00a0\u202f\u3000\u200c\u200d\ufe0f"


def clean(
    changes: Mapping[str, Any], *, node: str, node_memory_mib: int, node_cpus: int
) -> tuple[dict[str, Any], list[Finding]]:
    """Typed values and findings. `node*`: the VM's present node, whose size is the limit. MiB."""
    values: dict[str, Any] = {}
    found: list[Finding] = []
    for name, raw in changes.items():
        if name not in FIELDS:
            found.append(field_finding(name, f"“{name}” is not a setting that can be changed here."))
            continue
        value, message = _one(name, raw, node, node_memory_mib, node_cpus)
        if message:
            found.append(field_finding(name, message))
        else:
            values[name] = value
    return values, found


def _one(name: str, raw: Any, node: str, node_memory_mib: int, node_cpus: int) -> tuple[Any, str]:
    if name == "memory_mib":
        return _memory(raw, node, node_memory_mib)
    if name == "vcpus":
        return _processors(raw, node, node_cpus)
    if name == "notes":
        return _notes(raw)
    words = [str(word) for word in (OfflineAction if name == "offline_action" else Priority)]
    if str(raw) in words:
        return str(raw), ""
    return None, f"{LABELS[name]} must be one of: {', '.join(word.replace('_', ' ') for word in words)}."


def _memory(raw: Any, node: str, limit: int) -> tuple[int | None, str]:
    number = whole(raw)
    if number is None:
        return None, "Memory must be a whole number of MB, for example 4096."
    if number % 2:
        return None, f"Memory must be a multiple of 2 MB; the nearest is {number + 1:,}."
    if number < MIN_MEMORY_MIB or (limit and number > limit):
        upper = f" and {limit:,} MB, the memory of {node}" if limit else ""
        return (
            None,
            f"Memory must be between {MIN_MEMORY_MIB} MB{upper}. You gave {memory(min(number, 1 << 40))}.",
        )
    return number, ""


def _processors(raw: Any, node: str, limit: int) -> tuple[int | None, str]:
    number = whole(raw)
    if number is None:
        return None, "Processors must be a whole number, for example 2."
    if number < 1 or (limit and number > limit):
        upper = f" and {limit}, the processors of {node}" if limit else " or more"
        return None, f"Processors must be between 1{upper}."
    return number, ""


def _notes(raw: Any) -> tuple[str | None, str]:
    if not isinstance(raw, str):
        return None, "Notes must be text."
    text = raw.replace("\r\n", "\n")
    size = len(text.encode())
    if size > MAX_NOTES_BYTES:
        return None, f"Notes can hold 8 kB; these have {size / 1024:,.1f} kB. Shorten them."
    wrong = unseen(text, "Notes have", "them", also=IN_NOTES)
    return (None, wrong) if wrong else (text, "")


def whole(raw: Any) -> int | None:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        return None
    text = str(raw).strip()
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit() or len(text) > 15:
        return None
    return int(text)
