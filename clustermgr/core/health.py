"""Heartbeats -> what the watcher may say of a node. Times are seconds of a monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from clustermgr.core.states import NodeState

INTERVAL = 1.0
MISSES = 10
#: After a gap in observation longer than this (start, clock jump, database away) counting starts afresh.
GAP = 10.0
#: One watch process looks at so many clusters at most: each takes a thread and a connection to the database.
CLUSTERS_WATCHED = 32


class Word(StrEnum):
    UNHEARD = "unheard"  # no verdict yet: what was known before stays
    ANSWERS = "answers"
    SILENT = "silent"
    REFUSES = "refuses"  # the machine answers, its hypervisor daemon does not


@dataclass(frozen=True, slots=True)
class Beat:
    """What happened at one node in one interval. `asked`: when the probe under way was sent, if one is."""

    heard: bool = False
    failed: bool = False
    refused: bool = False
    asked: float | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    """A node as the watcher remembers it. Lives in memory only: a new watcher counts afresh."""

    word: Word = Word.UNHEARD
    missed: int = 0
    refused: bool = False  # how the last failure went
    counted_at: float | None = None


def beat(pulse: Pulse, now: float, seen: Beat) -> Pulse:
    """The pulse after one more interval; call it once in each.

    A missed heartbeat counts only if its probe was sent on time and ran out, and the watcher itself was not
    late by an interval (safety.md 5.5): a stalled watcher must not declare the world dead.
    """
    since = None if pulse.counted_at is None else now - pulse.counted_at
    pulse = replace(pulse, counted_at=now, refused=seen.refused if seen.failed else pulse.refused)
    if seen.heard:
        return replace(pulse, word=Word.ANSWERS, missed=0, refused=False)
    if since is None or since > GAP:
        return replace(pulse, missed=0)
    if since > 2 * INTERVAL or not _ran_out(now, seen):
        return pulse
    missed = pulse.missed + 1
    if missed < MISSES:
        return replace(pulse, missed=missed)
    return replace(pulse, missed=missed, word=Word.REFUSES if pulse.refused else Word.SILENT)


def _ran_out(now: float, seen: Beat) -> bool:
    return seen.failed or (seen.asked is not None and now - seen.asked >= INTERVAL)


#: Nodes of which nothing is known now.
SILENT_STATES = frozenset({NodeState.DOWN, NodeState.AGENT_DOWN, NodeState.ISOLATED})


def node_state(state: str, word: Word) -> NodeState | None:
    """The state that a node goes to by its pulse, or None. From Joining it becomes Up only when its VMs were
    compared, which is not the pulse's to say."""
    if word == Word.SILENT and state != NodeState.DOWN:
        return NodeState.DOWN
    if word == Word.REFUSES and state != NodeState.AGENT_DOWN:
        return NodeState.AGENT_DOWN
    if word == Word.ANSWERS and state in SILENT_STATES:
        return NodeState.JOINING
    return None


def why(state: NodeState, heard_at: datetime | None, trouble: str = "") -> str:
    """The reason that a node's row shows. `trouble`: what its host last answered instead, or nothing."""
    since = f"since {heard_at:%H:%M} UTC" if heard_at else "since it was added"
    if state == NodeState.DOWN:
        return f"No heartbeat {since}."
    if state == NodeState.AGENT_DOWN:
        return trouble or f"Its machine answers, its hypervisor daemon has not {since}."
    return ""
