"""The one Django app of the project."""

from django.apps import AppConfig


class ClustermgrConfig(AppConfig):
    name = "clustermgr"
    verbose_name = "Cluster manager"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from clustermgr import ports

        connection_created.connect(ports.follow_database)
