"""Which parts of the console are not running: one sentence for the banner. Never waits for what is dead."""

from __future__ import annotations

import logging
import shutil
import threading
from datetime import timedelta

import redis
from django.conf import settings

from clustermgr.core.health import CLUSTERS_WATCHED
from clustermgr.models import Cluster, WatchShard
from clustermgr.ports import clock, runner

HEARD_WITHIN = timedelta(seconds=10)
ASK_EVERY_S = 8.0
FIRST_ANSWER_S = 0.3
SILENT_TIMES = 2  # one answer that is late is no dead worker
#: With less than this left, the next write may fail.
ROOM_BYTES = 4 * 1024 * 1024
log = logging.getLogger(__name__)


class Pulse:
    """Asks Redis and the workers in a thread of its own; readers get the last answer at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked = float("-inf")
        self._redis = True
        self._silent = 0

    def missing(self) -> list[str]:
        now = clock().monotonic()
        with self._lock:
            first = self._asked == float("-inf")
            thread = self._thread
            if now - self._asked >= ASK_EVERY_S and not (thread and thread.is_alive()):
                self._asked = now
                self._thread = thread = threading.Thread(target=self._ask, name="pulse", daemon=True)
                thread.start()
        if first and thread:
            thread.join(FIRST_ANSWER_S)
        if not self._redis:
            return ["Redis"]
        return ["the worker"] if self._silent >= SILENT_TIMES else []

    def _ask(self) -> None:
        self._redis = _redis_answers()
        if self._redis:
            self._silent = 0 if _worker_answers() else self._silent + 1


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _worker_answers() -> bool:
    try:
        return "operations" in runner().listening()
    except Exception as error:  # a broker that breaks off has many errors; all mean that nobody answered
        log.debug("workers were not asked: %s", error)
        return False


pulse = Pulse()


def disk_full() -> bool:
    """Whether nothing more can be written beside the console: its database, queue or log."""
    try:
        return shutil.disk_usage(settings.VAR_DIR).free < ROOM_BYTES
    except OSError:
        return False


def _watcher() -> str:
    """What is missing where nobody looks at a cluster."""
    others = WatchShard.objects.filter(heard_at__gt=clock().now() - HEARD_WITHIN).count()
    if others < CLUSTERS_WATCHED:
        return "the watch process"
    return (
        f"another watch process: those that run look at {others} clusters, each at {CLUSTERS_WATCHED} at most"
    )


def not_running(cluster: Cluster, *, untaken: bool) -> list[str]:
    """What is missing, in the administrator's words. `untaken`: an order waits and nobody takes it."""
    missing = pulse.missing()
    watch = getattr(cluster, "watch", None)
    if watch is None or watch.heard_at is None or clock().now() - watch.heard_at > HEARD_WITHIN:
        missing.append(_watcher())
    if untaken and "the worker" not in missing:
        missing.append("the worker")
    return missing
