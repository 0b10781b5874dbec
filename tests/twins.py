"""A second manager with a database of its own, in the same thread: `with second_manager(path): …`.

`copy_into(path)` makes that database a copy of the first one, as if its file had been copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper

from clustermgr.models import Claim, Cluster, Event, Node, Vm


@contextmanager
def second_manager(file: Path) -> Iterator[None]:
    """What happens inside happens in the SQLite database `file`; it stays there for the next time."""
    first = connections["default"]
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file), "OPTIONS": {}}
    second = DatabaseWrapper({**first.settings_dict, **sqlite}, alias="default")
    connections["default"] = second
    try:
        yield
    finally:
        connections["default"] = first
        second.close()


def copy_into(file: Path) -> None:
    """By a backup and its restore, without what a restore does: nobody told this copy that it is one."""
    archive = file.with_suffix(".backup")
    call_command("backup", str(archive))
    claims = list(Claim.objects.values())
    as_it_was = [(model, list(model.objects.values())) for model in (Node, Vm)]
    with second_manager(file):
        call_command("restore", str(archive))
        Cluster.objects.update(stood_down_at=None, stood_down_reason="", stood_down_by="")
        Event.objects.filter(code="restored").delete()
        Claim.objects.bulk_create(Claim(**row) for row in claims)
        for model, rows in as_it_was:
            for row in rows:
                model.objects.filter(pk=row["id"]).update(**row)
