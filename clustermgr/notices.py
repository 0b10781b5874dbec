"""Small typed news from workers to the web processes, over Redis. They hint; the rows are the truth.

A lost notice costs a second (the hub compares version cursors with the database), never truth.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import redis
from django.conf import settings

from clustermgr.ports import clock

CHANNEL = "clustermgr.notices"
PAUSE_S = 5.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows of these subjects changed in `version` of a cluster: "vm:7", "node:2", "operation:9", "events"."""

    cluster: int
    version: int
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """Figures of a running operation, to patch in place; see core.progress for the names."""

    cluster: int
    operation: int
    vm: int
    figures: dict[str, object]


class _Wire:
    """One connection per process; a dead or frozen Redis costs at most a second once in five seconds."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.client: redis.Redis | None = None
        self.silent_until = float("-inf")

    def send(self, text: str) -> None:
        """Raises RedisError; for a while after one it does so at once."""
        if clock().monotonic() < self.silent_until:
            raise redis.ConnectionError("Redis did not answer a moment ago")
        try:
            self._send(text)
        except redis.RedisError:
            self.silent_until = clock().monotonic() + PAUSE_S
            raise

    def _send(self, text: str) -> None:
        with self.lock:
            if self.client is None:
                self.client = redis.Redis.from_url(
                    settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1
                )
            client = self.client
        client.publish(CHANNEL, text)


_wire = _Wire()


def encode(notice: Changed | Progress) -> str:
    return json.dumps({"type": type(notice).__name__, **asdict(notice)}, separators=(",", ":"))


def decode(text: str | bytes) -> Changed | Progress | None:
    """The notice in a message, or None for one that a newer or foreign sender wrote."""
    try:
        data = json.loads(text)
        kind = data.pop("type")
        if kind == "Changed":
            return Changed(int(data["cluster"]), int(data["version"]), tuple(map(str, data["subjects"])))
        if kind == "Progress":
            figures = dict(data["figures"])
            return Progress(int(data["cluster"]), int(data["operation"]), int(data["vm"]), figures)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return None


def publish(notices: Iterable[Changed | Progress]) -> None:
    """Send now (call it after the commit). Never raises: news may be lost."""
    for notice in notices:
        try:
            _wire.send(encode(notice))
        except redis.RedisError as error:
            log.debug("notice lost: %s", error)
            return
