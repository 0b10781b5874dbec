"""Which parts of the console are not running: one sentence for the banner. Never waits for what is dead."""

from __future__ import annotations

import threading
from datetime import timedelta

import redis
from django.conf import settings

from clustermgr.models import Cluster
from clustermgr.ports import clock

HEARD_WITHIN = timedelta(seconds=10)
ASK_EVERY_S = 5.0
FIRST_ANSWER_S = 0.3


class RedisPulse:
    """Asks Redis in a thread of its own; readers get the last answer at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked = float("-inf")
        self._alive = True

    def alive(self) -> bool:
        now = clock().monotonic()
        with self._lock:
            first = self._asked == float("-inf")
            if now - self._asked < ASK_EVERY_S or (self._thread and self._thread.is_alive()):
                return self._alive
            self._asked = now
            self._thread = threading.Thread(target=self._ask, name="redis-pulse", daemon=True)
            self._thread.start()
        if first:
            self._thread.join(FIRST_ANSWER_S)
        return self._alive

    def _ask(self) -> None:
        try:
            client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1)
            with client:
                self._alive = bool(client.ping())
        except redis.RedisError:
            self._alive = False


_pulse = RedisPulse()


def not_running(cluster: Cluster, *, untaken: bool) -> list[str]:
    """What is missing, in the administrator's words. `untaken`: an order waits and nobody takes it."""
    missing = []
    now = clock().now()
    if not _pulse.alive():
        missing.append("Redis")
    watch = getattr(cluster, "watch", None)
    if watch is None or watch.heard_at is None or now - watch.heard_at > HEARD_WITHIN:
        missing.append("the watch process")
    if untaken:
        missing.append("the worker")
    return missing
