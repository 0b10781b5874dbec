"""The Celery application: jobs are found in clustermgr.jobs, the beat schedule in clustermgr.jobs.beat."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clustermgr.settings")

app = Celery("clustermgr")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["clustermgr"], related_name="jobs")
