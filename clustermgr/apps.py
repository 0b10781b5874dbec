"""The one Django app of the project."""

from django.apps import AppConfig


class ClustermgrConfig(AppConfig):
    name = "clustermgr"
    verbose_name = "Cluster manager"
