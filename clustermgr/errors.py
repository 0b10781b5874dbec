"""What an action answers when it does not act. Every entrance knows how to show it."""

from __future__ import annotations

from collections.abc import Sequence

from clustermgr.core.findings import Finding, finding

#: How SQLite and PostgreSQL say it.
_FULL = ("disk is full", "No space left on device")
_UNMADE = ("no such table", "no such column")
_BUSY = ("database is locked", "database table is locked", "lock timeout")


class ActionRefused(Exception):
    """Nothing was changed. `status`: 403 right, 404 unknown, 409 conflict, 422 input, 423 held."""

    def __init__(self, *findings: Finding, status: int = 409, operation: int | None = None) -> None:
        super().__init__(" ".join(f.sentence for f in findings))
        self.findings: Sequence[Finding] = findings
        self.status = status
        self.operation = operation  # the task that holds the subject, where there is one


def database_trouble(error: BaseException) -> Finding:
    """What an OperationalError of the database means to an administrator."""
    said = str(error)
    if any(words in said for words in _FULL):
        return finding("disk_full")
    if any(words in said for words in _UNMADE):
        return finding("database_unmade")
    return finding("database_busy" if any(words in said for words in _BUSY) else "database_gone")
