"""The watch's tasks: one long task per cluster, and the one that sends it again when nobody watches."""

from __future__ import annotations

import threading
from typing import Any

from celery.signals import worker_shutting_down

from clustermgr import logs
from clustermgr.actions import watching
from clustermgr.celery import app
from clustermgr.jobs.watcher import Watcher
from clustermgr.ports import new_id, runner
from clustermgr.queries.live import slug_of

WATCH = "clustermgr.jobs.watch.watch"
_stopping = threading.Event()


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    # A threads pool waits for its tasks for ever; this one would never end by itself.
    _stopping.set()


@app.task(name=WATCH)
def watch(cluster_id: int) -> None:
    """Look at a cluster until the worker ends. A duplicate finds the lease taken and returns at once."""
    with logs.bound(cluster=slug_of(cluster_id)):
        Watcher(cluster_id, new_id()).run(_stopping)


@app.task(name="clustermgr.jobs.watch.keep")
def keep() -> None:
    """Send the watch of every cluster that nobody watches, at most once in a lease time."""
    for cluster_id in watching.due():
        runner().enqueue(WATCH, cluster_id, queue="watch", expires=watching.LEASE_S)
