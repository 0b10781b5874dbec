"""How old what is shown is, and what may still be said as current: one rule for lists, pages and tree."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from clustermgr.core.states import NodeState, VmState
from clustermgr.models import Node
from clustermgr.ports import clock

FRESH_S = 15
OLD_S = 60
FRESH, OLD, UNKNOWN = "fresh", "old", "unknown"


def seen(node: Node, heard_at: datetime | None) -> tuple[datetime | None, str]:
    """When the node was last looked at, and what that makes of its figures."""
    # Rows are written on change; while a node is up, the watch's own heartbeat says that it looked.
    stamps = [node.observed_at]
    if node.state in (NodeState.UP, NodeState.PAUSED):
        stamps.append(heard_at)
    known = [stamp for stamp in stamps if stamp is not None]
    return (max(known), age_of(max(known))) if known else (None, UNKNOWN)


def age_of(moment: datetime | None) -> str:
    if moment is None:
        return UNKNOWN
    seconds = (clock().now() - moment).total_seconds()
    return FRESH if seconds < FRESH_S else OLD if seconds < OLD_S else UNKNOWN


def heard_at(cluster: Any) -> datetime | None:
    watch = getattr(cluster, "watch", None)
    return watch.heard_at if watch else None


class NodeSight:
    """What `state`, `paused` and `age` of a node allow to say."""

    __slots__ = ()
    state: str
    paused: bool
    age: str

    @property
    def shown_state(self) -> str:
        """A paused node that is up is Paused; what broke is worse than a pause."""
        return NodeState.PAUSED if self.paused and self.state == NodeState.UP else self.state

    @property
    def last_known(self) -> bool:
        """It was well when it was last looked at, which is too long ago to say that it is."""
        return self.age == UNKNOWN and self.state == NodeState.UP

    @property
    def measured(self) -> bool:
        """Whether its figures are those of now."""
        return self.age != UNKNOWN and self.state == NodeState.UP

    @property
    def aged(self) -> bool:
        return self.age != FRESH or self.state != NodeState.UP


class VmSight:
    """What `state` of a virtual machine and `age` of its node allow to say."""

    __slots__ = ()
    state: str
    age: str

    @property
    def runs(self) -> bool:
        return self.state in (VmState.RUNNING, VmState.MIGRATING)

    @property
    def last_known(self) -> bool:
        """While it moves, the operation itself says how it is; that nobody knows is known."""
        told = (VmState.MIGRATING, VmState.UNMONITORED, VmState.UNKNOWN)
        return self.age == UNKNOWN and self.state not in told

    @property
    def measured(self) -> bool:
        return self.runs and not self.last_known

    @property
    def aged(self) -> bool:
        return self.age != FRESH
