"""Tests of connections, asked for by an administrator: one probe of the host, and its answer as a row."""

from __future__ import annotations

import logging

from clustermgr.actions import candidates
from clustermgr.celery import app
from clustermgr.drivers import registry
from clustermgr.drivers.contract import DriverError, Probe
from clustermgr.jobs import readings
from clustermgr.jobs.hosts import DEADLINE_S, opened
from clustermgr.models import Candidate

log = logging.getLogger(__name__)
BROKEN = "The test met an error of the console's own; its log has the details."


@app.task(name=candidates.TEST)
def probe(candidate_id: int, round: int) -> None:
    """Test once. A second message of the same round finds the answer there, or gives the same one."""
    row = Candidate.objects.filter(pk=candidate_id, round=round, state="testing").first()
    if row is not None:
        candidates.record(candidate_id, round, readings.tested(_probe(row)))


@app.task(name="clustermgr.jobs.candidates.keep")
def keep() -> None:
    candidates.keep()


def _probe(row: Candidate) -> Probe:
    try:
        credentials = opened(row.credentials, row.host_key)
    except DriverError as error:
        return Probe().found("error", error.sentence)
    try:
        return registry.probe(row.driver, row.address, credentials=credentials, deadline=DEADLINE_S)
    except Exception:
        # Whoever asked gets an answer, whatever broke.
        log.exception("the test %s of %s failed", row.pk, row.address)
        return Probe().found("error", BROKEN)
