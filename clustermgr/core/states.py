"""The words for states, operations and roles: the same in code, API and on the screen (design.md 6)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class NodeState(StrEnum):
    JOINING = "joining"
    UP = "up"
    ISOLATED = "isolated"
    AGENT_DOWN = "agent_down"
    DOWN = "down"
    PAUSED = "paused"
    QUARANTINED = "quarantined"


class CandidateState(StrEnum):
    """A host that is tested before it becomes a node, or before a node is reached in another way."""

    TESTING = "testing"
    KEY_TO_CONFIRM = "key_to_confirm"
    READY = "ready"
    REFUSED = "refused"
    USED = "used"  # it became the node, or its way in was taken over


class VmState(StrEnum):
    OFF = "off"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    PAUSED_CRITICAL = "paused_critical"
    SAVING = "saving"
    SAVED = "saved"
    STOPPING = "stopping"
    MIGRATING = "migrating"
    UNMONITORED = "unmonitored"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Wanted(StrEnum):
    """What the administrator wants a VM to be; the engine restarts only what should run."""

    RUNNING = "running"
    OFF = "off"
    IGNORED = "ignored"


class OperationKind(StrEnum):
    LIVE_MIGRATION = "live_migration"
    QUICK_MIGRATION = "quick_migration"
    MOVE = "move"
    START = "start"
    SHUT_DOWN = "shut_down"
    TURN_OFF = "turn_off"
    SAVE = "save"
    SETTINGS = "settings"
    REFRESH = "refresh"
    RECOVERY = "recovery"
    TIDY = "tidy"  # a definition left behind on a node that is not the owner is removed
    REMOVAL = "removal"  # the role leaves the cluster; its VM stays on its host as it is


class OperationState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (OperationState.QUEUED, OperationState.RUNNING, OperationState.CANCELLING)
SETTLED = (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED)

OPERATION_TRANSITIONS: dict[OperationState, frozenset[OperationState]] = {
    OperationState.QUEUED: frozenset(
        {OperationState.RUNNING, OperationState.CANCELLED, OperationState.FAILED}
    ),
    OperationState.RUNNING: frozenset(
        {
            OperationState.CANCELLING,
            OperationState.SUCCEEDED,
            OperationState.FAILED,
            OperationState.CANCELLED,
        }
    ),
    OperationState.CANCELLING: frozenset(
        {OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED}
    ),
    OperationState.SUCCEEDED: frozenset(),
    OperationState.FAILED: frozenset(),
    OperationState.CANCELLED: frozenset(),
}


class Phase(StrEnum):
    """What a running operation is doing, for the dock (ui.md 2.7)."""

    QUEUED = "queued"
    PREPARING = "preparing"
    COPYING = "copying"
    SWITCHING = "switching"
    SAVING = "saving"
    RESTORING = "restoring"
    STOPPING = "stopping"
    STARTING = "starting"
    APPLYING = "applying"
    CLEANING_UP = "cleaning_up"
    DONE = "done"


#: Until when work that has begun can be cancelled: while memory is copied, and home still has all of it.
CANCELLABLE: dict[OperationKind, frozenset[Phase]] = {
    OperationKind.LIVE_MIGRATION: frozenset({Phase.QUEUED, Phase.PREPARING, Phase.COPYING}),
    OperationKind.QUICK_MIGRATION: frozenset({Phase.QUEUED, Phase.PREPARING, Phase.SAVING}),
    OperationKind.MOVE: frozenset({Phase.SAVING}),
    OperationKind.SAVE: frozenset({Phase.PREPARING, Phase.SAVING}),
}


def cancellable(kind: str, phase: str) -> bool:
    """Whether an operation of this kind can be cancelled while it does this."""
    return phase in CANCELLABLE.get(OperationKind(kind), frozenset())


#: Steps at which an order that waits for a silent host may be ended without it: all that the host may still
#: do is ruled out by its holders. Not a revocation, which owes a definition; nor the tidying after a move.
GIVEN_UP_AT = frozenset({"begin", "down", "up", "called", "spent", "resume", "apply"})


def may_be_given_up(kind: str, step: str, params: Mapping[str, object]) -> bool:
    """Whether a cancel may end an operation whose host is silent. Never a live migration, which keeps its
    slots until both ends were seen; nor a save under way, whose file would be forgotten."""
    if kind in (OperationKind.LIVE_MIGRATION, OperationKind.TIDY) or step not in GIVEN_UP_AT:
        return False
    saves = kind in (OperationKind.SAVE, OperationKind.QUICK_MIGRATION)
    saves = saves or params.get("offline_action") == OfflineAction.SAVE
    return not (saves and step == "down")


class Priority(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NO_AUTO_START = "no_auto_start"


# FCM's numbers (fcm.md 3.1); a higher rank goes first.
PRIORITY_RANK = {
    Priority.HIGH: 3000,
    Priority.MEDIUM: 2000,
    Priority.LOW: 1000,
    Priority.NO_AUTO_START: 0,
}


class OfflineAction(StrEnum):
    SAVE = "save"
    SHUT_DOWN = "shut_down"
    SHUT_DOWN_FORCED = "shut_down_forced"
    TURN_OFF = "turn_off"


class VolumeKind(StrEnum):
    CSV = "csv"
    DISK = "disk"


class Level(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"
