"""The Celery application: jobs are found in clustermgr.jobs, the beat schedule in clustermgr.jobs.beat."""

import os

from celery import Celery

from clustermgr.jobs.beat import beat_schedule

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clustermgr.settings")

app = Celery("clustermgr", task_cls="clustermgr.jobs.threads:Placed")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = beat_schedule()
app.conf.imports = (
    "clustermgr.jobs.operations",
    "clustermgr.jobs.watch",
    "clustermgr.jobs.engine",
    "clustermgr.jobs.candidates",
    "clustermgr.jobs.claims",
    "clustermgr.jobs.stamps",
    "clustermgr.jobs.tidying",
    "clustermgr.jobs.retention",
)
