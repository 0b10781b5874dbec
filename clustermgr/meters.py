"""What this process counts of itself: requests, sockets, frames. Every series names the process.

Counters of the cluster are not here: they are rows, so that every process tells the same.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

# A second series for each counter, with the time of its birth, which nothing here asks for.
disable_created_metrics()

#: Several web processes may stand behind one address, so that the scraper's own label would mix them.
PROCESS = f"{socket.gethostname()}:{os.getpid()}"
REGISTRY = CollectorRegistry()
_OWN: dict[str, Any] = {"registry": REGISTRY, "labelnames": ["process"]}

SOCKETS = Gauge("clustermgr_live_sockets", "Browsers whose socket is open.", **_OWN).labels(PROCESS)
FRAMES = Counter("clustermgr_live_frames", "Frames sent to browsers.", **_OWN).labels(PROCESS)
LATE = Counter(
    "clustermgr_live_late_ticks", "Ticks of the hub that took longer than their interval.", **_OWN
).labels(PROCESS)
LOST = Counter(
    "clustermgr_live_lost_notices",
    "Times that the database told of a change of which no notice had come.",
    **_OWN,
).labels(PROCESS)
REDIS = Gauge(
    "clustermgr_live_redis_connected", "1 while the hub hears notices; 0 also while nobody looks.", **_OWN
).labels(PROCESS)

_REQUESTS = Histogram(
    "clustermgr_http_request_duration_seconds",
    "Time to answer requests, by the name of their address.",
    ["process", "method", "route", "status"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
    registry=REGISTRY,
)
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PATCH", "PUT"})


def answered(method: str | None, route: str, status: int, seconds: float) -> None:
    """Count a request. `route`: the name of an address, never the address: those are without number."""
    known = method if method in METHODS else "other"
    _REQUESTS.labels(PROCESS, known, route, f"{status // 100}xx").observe(seconds)
