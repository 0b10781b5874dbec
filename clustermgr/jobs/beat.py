"""The schedule, readable as a table: task, seconds, queue. Messages expire with their interval."""

from __future__ import annotations

SCHEDULE: tuple[tuple[str, float, str], ...] = (
    ("clustermgr.jobs.operations.reap", 2.0, "engine"),
    ("clustermgr.jobs.engine.decide_all", 5.0, "engine"),
    ("clustermgr.jobs.watch.keep", 2.0, "default"),
    ("clustermgr.jobs.candidates.keep", 10.0, "default"),
    ("clustermgr.jobs.retention.prune", 3600.0, "default"),
)


def beat_schedule() -> dict[str, dict[str, object]]:
    """SCHEDULE in Celery's form."""
    return {
        task: {"task": task, "schedule": seconds, "options": {"queue": queue, "expires": seconds}}
        for task, seconds, queue in SCHEDULE
    }
