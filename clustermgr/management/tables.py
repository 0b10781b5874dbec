"""The database as rows of a backup, and back: one moment of it, whatever is written meanwhile.

The same for SQLite and PostgreSQL, so that one can be moved to the other.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.color import no_style
from django.db import connection, connections, models, transaction
from django.db.migrations.loader import MigrationLoader

from clustermgr.management.archive import ArchiveError

APP = "clustermgr"
#: Not in a backup: what Django makes by itself, who is signed in now, and what is over in an hour.
LEFT_OUT = {"auth.Permission", "auth.Group_permissions", "auth.User_user_permissions"} | {
    "contenttypes.ContentType",
    "sessions.Session",
    "clustermgr.SignInLink",
    "clustermgr.Candidate",
}
LEFT_OUT_APPS = {"axes"}
#: Of those, what must not outlive the rows that a restore replaces.
FORGOTTEN = (
    "sessions.Session",
    "clustermgr.SignInLink",
    "clustermgr.Candidate",
    "auth.Group_permissions",
    "auth.User_user_permissions",
)
BATCH = 500


def kept() -> list[type[models.Model]]:
    found = apps.get_models(include_auto_created=True)
    return [m for m in found if m._meta.label not in LEFT_OUT and m._meta.app_label not in LEFT_OUT_APPS]


def migrations() -> list[str]:
    """The names of this program's own migrations, as this version has them."""
    return sorted(name for app, name in MigrationLoader(None).disk_migrations if app == APP)


@contextmanager
def one_moment() -> Iterator[None]:
    """Read a database that does not change: a copy of SQLite's, a snapshot of PostgreSQL's."""
    if connection.vendor == "sqlite":
        with tempfile.TemporaryDirectory(prefix="backup-", dir=settings.VAR_DIR) as folder:
            yield from _copy(Path(folder) / "copy.sqlite3")
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _copy(path: Path) -> Iterator[None]:
    connection.ensure_connection()
    target = sqlite3.connect(path)
    try:
        connection.connection.backup(target)
    except sqlite3.Error as error:
        raise ArchiveError(f"The database could not be copied: {error}. Nothing was written.") from error
    finally:
        target.close()
    # In the place of the real one, for this thread alone: so every model reads the copy.
    live = connections["default"]
    copy = type(live)({**live.settings_dict, "NAME": str(path)}, alias="default")
    connections["default"] = copy
    try:
        yield
    finally:
        connections["default"] = live
        copy.close()


def rows() -> Iterator[Any]:
    """For each table one line that names it and its columns, then its rows in batches."""
    for model in kept():
        columns = [field.attname for field in model._meta.concrete_fields]
        yield {"table": model._meta.label, "columns": columns}
        batch: list[Any] = []
        for row in model._base_manager.order_by("pk").values_list(*columns).iterator(BATCH):
            batch.append(row)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def counts() -> dict[str, int]:
    return {model._meta.label: model._base_manager.count() for model in kept()}


def is_empty() -> bool:
    """No cluster and no account: nothing that a restore could destroy."""
    named = (apps.get_model(APP, "Cluster"), apps.get_model("auth", "User"))
    return not any(model._base_manager.exists() for model in named)


def clear() -> None:
    """Delete every row that a backup brings, and what hangs on them."""
    with connection.cursor() as cursor:
        for model in [*kept(), *(apps.get_model(label) for label in FORGOTTEN)]:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")


def load(lines: Iterable[Any]) -> int:
    """Write the rows of a backup; columns that this version does not have are left out, those that the backup
    does not have take their default. Answers how many rows there were. Raises ArchiveError."""
    known = {model._meta.label: model for model in kept()}
    model: type[models.Model] | None = None
    columns: list[str] = []
    total = 0
    for line in lines:
        if isinstance(line, dict):
            model, columns = known.get(str(line.get("table"))), list(line.get("columns", ()))
        elif model is not None:
            model._base_manager.bulk_create([_row(model, columns, values) for values in line], BATCH)
            total += len(line)
    return total


def _row(model: type[models.Model], columns: list[str], values: list[Any]) -> models.Model:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    found = {}
    for name, value in zip(columns, values, strict=True):
        field = fields.get(name)
        if field is not None:
            # JSON columns hold their values as they are; everything else was written as text or number.
            found[name] = value if isinstance(field, models.JSONField) else field.to_python(value)
    return model(**found)


def reset_sequences() -> None:
    """PostgreSQL counts on from the highest number; SQLite does so by itself."""
    statements = connection.ops.sequence_reset_sql(no_style(), kept())
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
