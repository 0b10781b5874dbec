"""Where the simulated hosts live: one SQLite file, shared by the processes of one machine.

Apart from the cluster's database. Owns schema, connections and transactions; knows no rule of the simulation.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clustermgr import ports

ENV = "CLUSTERMGR_LAB_STORE"
_ROOT = Path(__file__).resolve().parents[3]
_BUSY_SECONDS = 20.0
_VERSION = 2

_SCHEMA = """
CREATE TABLE setting (key TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE host (
    name TEXT PRIMARY KEY, uuid TEXT NOT NULL, cpus INTEGER NOT NULL, memory_mib INTEGER NOT NULL,
    cpu_model TEXT NOT NULL, cpu_features TEXT NOT NULL, networks TEXT NOT NULL,
    power INTEGER NOT NULL DEFAULT 1, up_at REAL NOT NULL DEFAULT 0, path INTEGER NOT NULL DEFAULT 1,
    agent INTEGER NOT NULL DEFAULT 1, hangs INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE volume (
    name TEXT PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL, capacity INTEGER NOT NULL,
    used INTEGER NOT NULL, file_system TEXT NOT NULL, locks INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE TABLE attachment (
    host TEXT NOT NULL, volume TEXT NOT NULL, active INTEGER NOT NULL, reachable INTEGER NOT NULL DEFAULT 1,
    mounted INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (host, volume)
) WITHOUT ROWID;
CREATE TABLE guest (
    uuid TEXT PRIMARY KEY, name TEXT NOT NULL, dirty_mib_s REAL NOT NULL, load_cpu REAL NOT NULL,
    hung INTEGER NOT NULL DEFAULT 0, faults TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
CREATE INDEX guest_name ON guest (name);
CREATE TABLE copy (
    host TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL, defined INTEGER NOT NULL,
    saved TEXT NOT NULL, running TEXT, run_memory_mib INTEGER NOT NULL DEFAULT 0,
    run_vcpus INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    incoming INTEGER NOT NULL DEFAULT 0, autostart INTEGER NOT NULL DEFAULT 0, started_at REAL,
    PRIMARY KEY (host, uuid)
) WITHOUT ROWID;
CREATE INDEX copy_uuid ON copy (uuid);
CREATE TABLE work (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, phase TEXT NOT NULL, host TEXT NOT NULL,
    uuid TEXT NOT NULL, peer TEXT NOT NULL DEFAULT '', path TEXT NOT NULL DEFAULT '',
    begun REAL NOT NULL, due REAL, state TEXT NOT NULL DEFAULT 'active', reason TEXT NOT NULL DEFAULT '',
    plan TEXT NOT NULL DEFAULT ''
);
CREATE INDEX work_due ON work (due, id) WHERE state = 'active' AND due IS NOT NULL;
CREATE INDEX work_uuid ON work (uuid) WHERE state = 'active';
CREATE INDEX work_ended ON work (due) WHERE state != 'active';
CREATE TABLE file (
    path TEXT PRIMARY KEY, volume TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL,
    definition TEXT NOT NULL, size INTEGER NOT NULL, complete INTEGER NOT NULL,
    managed INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX file_uuid ON file (uuid);
CREATE TABLE totals (
    host TEXT NOT NULL, uuid TEXT NOT NULL, elapsed_s REAL NOT NULL, downtime_ms REAL NOT NULL,
    bytes_sent INTEGER NOT NULL, iterations INTEGER NOT NULL, PRIMARY KEY (host, uuid)
) WITHOUT ROWID;
CREATE TABLE incident (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, uuid TEXT NOT NULL,
    hosts TEXT NOT NULL
);
"""
#: What a store of an older version lacks.
_STEPS = {1: "ALTER TABLE attachment ADD COLUMN mounted INTEGER NOT NULL DEFAULT 1"}
_TABLES = ("setting", "host", "volume", "attachment", "guest", "copy", "work", "file", "totals", "incident")


class Store:
    """One set of simulated hosts. Safe to share between threads: each thread has its own connection."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._in_memory = self.path == ":memory:"
        self._local = threading.local()
        self._only: sqlite3.Connection | None = None

    @classmethod
    def memory(cls) -> Store:
        """A store of this process alone, gone with it; for one thread."""
        return cls(":memory:")

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, opened on first use and again after a fork."""
        if self._in_memory:
            if self._only is None:
                self._only = self._open()
            return self._only
        pid = os.getpid()
        held: tuple[int, sqlite3.Connection] | None = getattr(self._local, "held", None)
        if held is None or held[0] != pid:
            held = (pid, self._open())
            self._local.held = held
        return held[1]

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view; takes no write lock."""
        connection = self.connection()
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; waits up to 20 s for other processes."""
        connection = self.connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def clear(self) -> None:
        """Forget every host, volume and VM; settings too."""
        with self.writing() as connection:
            for table in _TABLES:
                connection.execute(f"DELETE FROM {table}")

    def is_empty(self) -> bool:
        with self.reading() as connection:
            return connection.execute("SELECT 1 FROM host LIMIT 1").fetchone() is None

    def close(self) -> None:
        """Close this thread's connection; an in-memory store is lost."""
        held: tuple[int, sqlite3.Connection] | None = getattr(self._local, "held", None)
        if held is not None:
            held[1].close()
            del self._local.held
        if self._only is not None:
            self._only.close()
            self._only = None

    def _open(self) -> sqlite3.Connection:
        if not self._in_memory:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA cache_size=-1024")
        if not self._in_memory:
            _use_wal(connection)
            connection.execute("PRAGMA synchronous=NORMAL")
        _create(connection)
        return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    # Switching to WAL ignores the busy timeout when two processes do it at once.
    clock = ports.clock()
    for _ in range(100):
        try:
            if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] == "wal":
                return
        except sqlite3.OperationalError:
            clock.sleep(0.05)
    raise sqlite3.OperationalError("The store of the simulated hosts is locked by another process.")


def _create(connection: sqlite3.Connection) -> None:
    if _version(connection) == _VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    found = _version(connection)
    whole = _SCHEMA.split(";") if found == 0 else [_STEPS[step] for step in range(found, _VERSION)]
    for statement in filter(str.strip, whole):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={_VERSION}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


_stores: dict[str, Store] = {}
_override: Store | None = None


def default_path() -> str:
    """The path in CLUSTERMGR_LAB_STORE, else lab.sqlite3 in CLUSTERMGR_VAR or the project's var folder."""
    folder = os.environ.get("CLUSTERMGR_VAR") or _ROOT / "var"
    return os.environ.get(ENV) or str(Path(folder) / "lab.sqlite3")


def at(path: str | Path) -> Store:
    """The store of this path; one object per path and process."""
    return _stores.setdefault(str(path), Store(path))


def default() -> Store:
    """The store that `lab:` addresses mean: the one installed by `use`, else the default path's."""
    return _override if _override is not None else at(default_path())


def use(store: Store | None) -> None:
    """Install a store for this process (the scenario player, tests); None goes back to the default path."""
    global _override
    _override = store
