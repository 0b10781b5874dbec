"""Labels of kinds, states and sizes as administrators read them: FCM's words."""

from __future__ import annotations

from clustermgr.core.states import OfflineAction, OperationKind, VolumeKind

KINDS: dict[str, str] = {
    OperationKind.LIVE_MIGRATION: "Live migration",
    OperationKind.QUICK_MIGRATION: "Quick migration",
    OperationKind.MOVE: "Move",
    OperationKind.START: "Start",
    OperationKind.SHUT_DOWN: "Shut down",
    OperationKind.TURN_OFF: "Turn off",
    OperationKind.SAVE: "Save",
    OperationKind.SETTINGS: "Change of settings",
    OperationKind.REFRESH: "Refresh of the configuration",
    OperationKind.RECOVERY: "Recovery",
    OperationKind.TIDY: "Removal of a stale definition",
    OperationKind.REMOVAL: "Removal from the cluster",
}

OFFLINE_ACTIONS: dict[str, str] = {
    OfflineAction.SAVE: "Save",
    OfflineAction.SHUT_DOWN: "Shut down",
    OfflineAction.SHUT_DOWN_FORCED: "Shut down (forced)",
    OfflineAction.TURN_OFF: "Turn off",
}

VOLUME_KINDS: dict[str, str] = {
    VolumeKind.CSV: "Cluster Shared Volume",
    VolumeKind.DISK: "cluster disk",
}


def state_word(state: str) -> str:
    """ "agent_down" -> "agent down": a state inside a sentence."""
    return str(state).replace("_", " ").replace("paused critical", "paused-critical")


def memory(mib: float) -> str:
    """Binary units, labelled as in Hyper-V: 512 -> "512 MB", 4096 -> "4 GB", 4608 -> "4.5 GB"."""
    if mib < 1024:
        return f"{mib:.0f} MB"
    return f"{mib / 1024:.1f}".removesuffix(".0") + " GB"


def duration(seconds: float) -> str:
    """0.4 -> "0.4 s", 21.3 -> "21 s", 200 -> "3 min 20 s", 7260 -> "2 h 1 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def ordinal(number: int) -> str:
    """1 -> "1st", 12 -> "12th", 23 -> "23rd"."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
