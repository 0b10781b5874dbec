"""`manage.py backup FILE`: everything that this installation knows, as one file. Works while it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection

from clustermgr import secrets
from clustermgr.management import archive, tables
from clustermgr.management.archive import ArchiveError
from clustermgr.models import Installation
from clustermgr.ports import clock


class Command(BaseCommand):
    help = "Write a backup, readable by this account alone. The key of sealed texts is not in it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="where it goes; - for standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        to = None if options["file"] == "-" else Path(options["file"])
        try:
            with tables.one_moment():
                found = tables.counts()
                archive.write(to, head(found), tables.rows())
        except ArchiveError as error:
            print(error, file=sys.stderr)
            sys.exit(1)
        except (OSError, DatabaseError) as error:
            print(f"The backup was not made: {error}. Nothing is left of it.", file=sys.stderr)
            sys.exit(1)
        if to is not None:
            said = f"{to}: {sum(found.values())} rows of {len(found)} tables."
            self.stdout.write(f"{said} Keep the key of sealed texts (var/seal.key) elsewhere, too.")


def head(found: dict[str, int]) -> dict[str, Any]:
    """What a restore must know before the first row."""
    own = Installation.objects.filter(pk=1).first()
    return {
        "made_at": clock().now().isoformat(timespec="seconds"),
        "database": connection.vendor,
        "migrations": tables.migrations(),
        "seal_keys": secrets.fingerprints(),
        "manager_id": own.manager_id if own else "",
        "tables": found,
    }
