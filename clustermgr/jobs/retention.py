"""The hourly task that removes the past which is not kept."""

from __future__ import annotations

import logging

from clustermgr.actions import retention
from clustermgr.celery import app

log = logging.getLogger(__name__)


@app.task(name="clustermgr.jobs.retention.prune")
def prune() -> None:
    """Two at once are harmless: each removes what the other left."""
    gone = retention.prune()
    if gone:
        log.info("%s rows of the past were removed", gone)
