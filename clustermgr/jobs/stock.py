"""What is read of one host's storage, and what is said while that does not answer.

A pool on a dead server holds up the call that looks at it, and that call one of the daemon's few threads,
until the server is back. So it is asked for ever less often, and nothing else that touches storage is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clustermgr.core.readings import VolumesSeen
from clustermgr.drivers.contract import AgentDown, Busy, HostDriver, HostUnreachable
from clustermgr.jobs import readings

log = logging.getLogger(__name__)
VOLUMES_S = 15.0
LONGEST_PAUSE_S = 600.0


@dataclass(slots=True)
class Stock:
    """`due_at`: no look at the storage before that. `trouble`: why it shows nothing now."""

    node: int
    due_at: float = float("-inf")
    trouble: str = ""
    _pause: float = 0.0

    def read(self, host: HostDriver, ask: Callable[[Callable[[], Any]], Any], now: float) -> VolumesSeen:
        """The volumes; none of them, with the reason, when the storage alone does not answer. Raises what
        the host's own silence raises."""
        self.due_at = now + VOLUMES_S
        try:
            found = readings.volumes(self.node, ask(host.volumes))
        except AgentDown:
            raise
        except Busy as busy:
            self._stuck(busy.sentence)  # the driver asked for nothing: it may be tried again soon
        except HostUnreachable as late:
            ask(host.ping)
            self._pause = min(LONGEST_PAUSE_S, max(VOLUMES_S, 2 * self._pause))
            self.due_at = now + self._pause
            self._stuck(late.sentence)
        else:
            self.trouble, self._pause = "", 0.0
            return found
        return VolumesSeen(self.node, (), self.trouble)

    def _stuck(self, sentence: str) -> None:
        if not self.trouble:
            log.warning("the storage of node %s does not answer: %s", self.node, sentence)
        self.trouble = self.trouble or sentence

    def reopened(self) -> None:
        """The connection is a new one: look at once, unless the storage was what did not answer."""
        if not self.trouble:
            self.due_at = float("-inf")
