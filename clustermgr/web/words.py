"""How states, kinds and priorities look: word, icon and colour token of each. Sentences live in core."""

from __future__ import annotations

from typing import NamedTuple

from clustermgr.core.states import (
    Level,
    NodeState,
    OperationState,
    Phase,
    Priority,
    Role,
    VmState,
    VolumeKind,
)
from clustermgr.core.words import KINDS, OFFLINE_ACTIONS


class Look(NamedTuple):
    word: str
    icon: str
    tone: str  # the token: ok, move, hold, warn, err, neutral


STATES: dict[str, Look] = {
    VmState.RUNNING: Look("Running", "ok", "ok"),
    VmState.OFF: Look("Off", "off", "neutral"),
    VmState.STARTING: Look("Starting", "busy", "move"),
    VmState.STOPPING: Look("Stopping", "busy", "move"),
    VmState.SAVING: Look("Saving", "busy", "move"),
    VmState.SAVED: Look("Saved", "saved", "hold"),
    VmState.MIGRATING: Look("Migrating", "migrating", "move"),
    VmState.PAUSED: Look("Paused", "paused", "hold"),
    VmState.PAUSED_CRITICAL: Look("Paused-Critical", "caution", "warn"),
    VmState.UNMONITORED: Look("Unmonitored", "caution", "warn"),
    VmState.FAILED: Look("Failed", "failed", "err"),
    VmState.UNKNOWN: Look("Unknown", "unknown", "neutral"),
    NodeState.JOINING: Look("Joining", "busy", "move"),
    NodeState.UP: Look("Up", "ok", "ok"),
    NodeState.ISOLATED: Look("Isolated", "isolated", "warn"),
    NodeState.AGENT_DOWN: Look("Agent down", "isolated", "warn"),
    NodeState.DOWN: Look("Down", "failed", "err"),
    NodeState.QUARANTINED: Look("Quarantined", "isolated", "warn"),
}

TASKS: dict[str, Look] = {
    OperationState.QUEUED: Look("Queued", "queued", "neutral"),
    OperationState.RUNNING: Look("Running", "busy", "move"),
    OperationState.CANCELLING: Look("Cancelling", "busy", "hold"),
    OperationState.SUCCEEDED: Look("Done", "ok", "ok"),
    OperationState.FAILED: Look("Failed", "failed", "err"),
    OperationState.CANCELLED: Look("Cancelled", "cancelled", "neutral"),
}

PHASES: dict[str, str] = {
    Phase.QUEUED: "Queued",
    Phase.PREPARING: "Preparing",
    Phase.COPYING: "Copying memory",
    Phase.SWITCHING: "Switching over",
    Phase.SAVING: "Saving",
    Phase.RESTORING: "Restoring",
    Phase.STOPPING: "Stopping",
    Phase.STARTING: "Starting",
    Phase.APPLYING: "Applying",
    Phase.CLEANING_UP: "Cleaning up",
    Phase.DONE: "Done",
}

LEVELS: dict[str, Look] = {
    Level.INFO: Look("Information", "info", "neutral"),
    Level.WARNING: Look("Warning", "warning", "warn"),
    Level.ERROR: Look("Error", "failed", "err"),
    Level.CRITICAL: Look("Critical", "failed", "err"),
}

PRIORITIES: dict[str, str] = {
    Priority.HIGH: "High",
    Priority.MEDIUM: "Medium",
    Priority.LOW: "Low",
    Priority.NO_AUTO_START: "No auto start",
}

VERDICTS: dict[str, Look] = {
    "best": Look("Best", "star", "ok"),
    "good": Look("Good", "ok", "ok"),
    "possible": Look("Possible", "warning", "warn"),
    "no": Look("No", "failed", "err"),
    "unknown": Look("Unknown", "unknown", "neutral"),
}

#: Fields of a VM's settings, as forms, drift and events name them.
FIELDS: dict[str, str] = {
    "name": "Name",
    "notes": "Notes",
    "memory_mib": "Memory",
    "vcpus": "Processors",
    "offline_action": "Offline action",
    "priority": "Startup priority",
    "disks": "Disks",
    "nics": "Network adapters",
    "firmware": "Firmware",
    "autostart": "Starts with its host",
    "definition": "Other parts of the definition",
}

PLAIN: dict[str, str] = {
    **{key: KINDS[key] for key in KINDS},
    **OFFLINE_ACTIONS,
    **PRIORITIES,
    **PHASES,
    VolumeKind.CSV: "Cluster shared volume",
    VolumeKind.DISK: "Cluster disk",
    Role.VIEWER: "Viewer",
    Role.OPERATOR: "Operator",
    Role.ADMINISTRATOR: "Administrator",
}

NO_LOOK = Look("Unknown", "unknown", "neutral")


def look(table: dict[str, Look], key: str) -> Look:
    return table.get(key) or NO_LOOK._replace(word=str(key).replace("_", " ").capitalize() or "Unknown")
