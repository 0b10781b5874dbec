"""Writes docs/states.md from the words and transition tables in clustermgr.core.states."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from clustermgr.core import states  # noqa: E402

HEAD = """# States

Written by `python docs/make_states.py` from `clustermgr/core/states.py`; a test fails when it is out of date.
The same words are used in code, in the database and (as labels) on the screen.
"""


def diagram() -> str:
    """The transitions of an operation; a settled one has no way on."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {states.OperationState.QUEUED}"]
    for before, after in states.OPERATION_TRANSITIONS.items():
        lines += [f"    {before} --> {state}" for state in sorted(after)]
        if not after:
            lines.append(f"    {before} --> [*]")
    return "\n".join([*lines, "```"])


def words(enum: Iterable[StrEnum]) -> str:
    return ", ".join(f"`{state}`" for state in enum)


def text() -> str:
    return "\n".join(
        [
            HEAD,
            "## Operations\n",
            diagram(),
            "",
            f"Phases of a running one: {words(states.Phase)}.\n",
            f"Kinds: {words(states.OperationKind)}.\n",
            "## Nodes\n",
            f"{words(states.NodeState)}.\n",
            "## Virtual machines\n",
            f"{words(states.VmState)}.\n",
            f"What an administrator wants of one: {words(states.Wanted)}.\n",
            f"How one goes offline for a move: {words(states.OfflineAction)}.\n",
            f"Priorities, the first one first: {words(states.Priority)}.",
            "",
        ]
    )


if __name__ == "__main__":
    (ROOT / "docs" / "states.md").write_text(text())
