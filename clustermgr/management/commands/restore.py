"""`manage.py restore FILE`: put a backup into an empty database, or with --replace in place of what is there.

The clusters of it stand down: what happened since the backup nobody told it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, transaction

from clustermgr import secrets
from clustermgr.actions import restoring
from clustermgr.management import tables
from clustermgr.management.archive import ArchiveError, Reader
from clustermgr.supervisor.installation import StartRefused
from clustermgr.supervisor.lock import RESTORES, Lock

NEXT = (
    "Its clusters stand down. Make sure that no other manager works on these hosts, start clustermgr, and "
    "take over management on the Management page, or by: clusterctl cluster take-over --confirm NAME"
)
NEWER = (
    "The backup was made by a newer clustermgr ({what}). Install that version or a later one first; nothing "
    "was changed."
)
AT_WORK = (
    "{who} works on this database. End all processes of clustermgr, wait 20 seconds and try again; nothing "
    "was changed."
)
NOT_EMPTY = (
    "The database is not empty. Give another one in DATABASE_URL, or say --replace to delete what it holds "
    "now; nothing was changed."
)
KEY_MISSING = (
    "The key of this backup's sealed texts is missing here: definitions and credentials cannot be opened. "
    "Its fingerprint is {keys}. Put that key on a line of its own at the end of var/seal.key."
)


class Command(BaseCommand):
    help = "Put a backup back. Its clusters stand down until somebody takes over their management."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a backup; - for standard input")
        parser.add_argument("--replace", action="store_true", help="delete what the database holds now")

    def handle(self, *args: Any, **options: Any) -> None:
        path = None if options["file"] == "-" else Path(options["file"])
        lock = Lock(Path(settings.VAR_DIR))
        try:
            lock.take(RESTORES)
            try:
                self._restore(path, replace=options["replace"])
            finally:
                lock.free()
        except StartRefused as refusal:
            self._fail(f"{refusal} End it before a restore; nothing was changed.")
        except ArchiveError as error:
            self._fail(str(error))
        except (DatabaseError, ValueError, TypeError, LookupError) as error:
            self._fail(f"The backup was not put back: {error}. Nothing was changed.")

    def _restore(self, path: Path | None, *, replace: bool) -> None:
        with Reader(path) as found:
            self._fits(found.head)
            call_command("migrate", verbosity=0, interactive=False)
            with transaction.atomic(durable=True):
                self._free(replace=replace)
                rows = tables.load(found.rows())
                tables.reset_sequences()
                ended = restoring.settle_the_past(str(found.head["made_at"]))
        self.stdout.write(f"{rows} rows were put back, as they were at {found.head['made_at']}.")
        if ended:
            self.stdout.write(f"{ended} orders that were under way then are closed as unknown.")
        self.stdout.write(NEXT)
        self._keys(found.head)

    def _fits(self, head: dict[str, Any]) -> None:
        unknown = set(head.get("migrations", ())) - set(tables.migrations())
        if unknown:
            raise ArchiveError(NEWER.format(what=max(unknown)))

    def _free(self, *, replace: bool) -> None:
        if who := restoring.at_work():
            raise ArchiveError(AT_WORK.format(who=who))
        if not tables.is_empty() and not replace:
            raise ArchiveError(NOT_EMPTY)
        tables.clear()

    def _keys(self, head: dict[str, Any]) -> None:
        keys = list(head.get("seal_keys", ()))
        if not set(keys) & set(secrets.fingerprints()):
            print(KEY_MISSING.format(keys=", ".join(keys) or "unknown"), file=sys.stderr)

    def _fail(self, sentence: str) -> None:
        print(sentence, file=sys.stderr)
        sys.exit(1)
