"""The file of a backup: compressed lines of JSON, first what it is, then rows, at the end a checksum.

Knows no database. A file that was cut off, damaged or is no backup is told apart, in words.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import IO, Any

FORMAT = 1
KIND = "clustermgr backup"
#: A line is a few rows' worth of settings and a definition; more is no backup of ours.
LONGEST_LINE = 64 << 20


class ArchiveError(Exception):
    """What is wrong with a backup or with where it goes, and what to do: a sentence."""


def write(to: Path | None, head: dict[str, Any], rows: Iterable[Any]) -> int:
    """Write a backup to a file that only its owner can read, whole or not at all; None: to standard output.
    Answers how many lines it has. Raises ArchiveError."""
    if to is None:
        return _fill(sys.stdout.buffer, head, rows)
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            count = _fill(file, head, rows)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, to)
    except OSError as error:
        why = error.strerror or str(error)
        raise ArchiveError(
            f"The backup could not be written to {to}: {why}. Nothing is left of it."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return count


def _fill(file: IO[bytes], head: dict[str, Any], rows: Iterable[Any]) -> int:
    digest, count = hashlib.sha256(), 0
    with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0, compresslevel=6) as packed:
        for value in _lines({KIND: FORMAT, **head}, rows):
            line = json.dumps(value, default=_plain, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            packed.write(line)
            count += 1
        packed.write(json.dumps({"end": count, "sha256": digest.hexdigest()}).encode() + b"\n")
    return count


def _lines(head: dict[str, Any], rows: Iterable[Any]) -> Iterator[Any]:
    yield head
    yield from rows


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()  # with microseconds and offset
    raise TypeError(f"a backup cannot hold a {type(value).__name__}")


class Reader:
    """`with Reader(path) as found:` then `found.head`, and `found.rows()` to its end, which checks the whole.

    Raises ArchiveError. `path` None: standard input.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._name = str(path or "standard input")

    def __enter__(self) -> Reader:
        try:
            raw = self._path.open("rb") if self._path else sys.stdin.buffer
        except OSError as error:
            raise ArchiveError(f"{self._name} cannot be read: {error.strerror}.") from error
        self._raw, self._packed = raw, gzip.GzipFile(fileobj=raw, mode="rb")
        self._digest, self._count = hashlib.sha256(), 0
        try:
            self.head = self._head()
        except ArchiveError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._packed.close()
        if self._path:
            self._raw.close()

    def rows(self) -> Iterator[Any]:
        while True:
            line = self._line()
            value = self._parsed(line)
            if isinstance(value, dict) and "end" in value:
                self._check(value)
                return
            self._digest.update(line)
            self._count += 1
            yield value

    def _head(self) -> dict[str, Any]:
        try:
            line = self._packed.readline(LONGEST_LINE)
            head = json.loads(line)
            version = int(head[KIND])
        except (EOFError, zlib.error) as error:
            raise self._broken() from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArchiveError(f"{self._name} is no backup of clustermgr.") from error
        if version > FORMAT:
            raise ArchiveError(
                f"{self._name} was written by a newer clustermgr (format {version}, this one reads {FORMAT})."
                " Install that version or a later one first."
            )
        self._digest.update(line)
        self._count += 1
        return dict(head)

    def _line(self) -> bytes:
        try:
            line = self._packed.readline(LONGEST_LINE)
        except (OSError, EOFError, zlib.error) as error:
            raise self._broken() from error
        if not line.endswith(b"\n"):
            raise self._broken()
        return line

    def _parsed(self, line: bytes) -> Any:
        try:
            return json.loads(line)
        except ValueError as error:
            raise self._broken() from error

    def _check(self, end: dict[str, Any]) -> None:
        try:
            rest = self._packed.read(1)  # at its end gzip checks what it unpacked
        except (OSError, EOFError, zlib.error) as error:
            raise self._broken() from error
        if rest or (end.get("end"), end.get("sha256")) != (self._count, self._digest.hexdigest()):
            raise self._broken()

    def _broken(self) -> ArchiveError:
        return ArchiveError(
            f"{self._name} is damaged or was cut off. Take another copy; nothing was changed."
        )
