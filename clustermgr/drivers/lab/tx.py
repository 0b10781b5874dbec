"""One transaction on the store at one moment: reads and writes rows; records double runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clustermgr.drivers.contract import DomainState, NotFound
from clustermgr.drivers.lab.rows import Copy, Guest, Host, Incident, SavedFile, Volume, Work

#: Speeds of the simulation: seconds, or MiB/s where the name says so; a pace is a factor. A store may set
#: its own.
SETTINGS: dict[str, float] = {
    "link_mib_s": 1024.0,  # live migration between two hosts
    "disk_mib_s": 500.0,  # save and restore
    "node_boot_s": 120.0,
    "start_s": 0.8,  # from the order to the paused process
    "guest_boot_s": 5.0,
    "stop_s": 10.0,
    "forced_stop_s": 3.0,
    "migrate_setup_s": 0.5,
    "keepalive_s": 5.0,  # until a source notices that its target is lost
    "orphan_s": 30.0,  # an incoming copy outlives its source so long
    "io_pause_s": 2.0,  # until a guest is paused by a lost volume
    "figures_pace": 1.0,  # how fast processor and memory figures move by themselves; 0: they stand still
}


class Tx:
    """`now` is unix seconds; while due work is settled it is the moment at which that work was due."""

    def __init__(self, connection: sqlite3.Connection, now: float) -> None:
        self._connection = connection
        self.now = now

    # -- plumbing --
    def run(self, sql: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def one(self, sql: str, *values: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.run(sql, *values).fetchone()
        return row

    def all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return self.run(sql, *values).fetchall()

    @contextmanager
    def at(self, moment: float) -> Iterator[None]:
        now, self.now = self.now, moment
        try:
            yield
        finally:
            self.now = now

    def setting(self, key: str) -> float:
        row = self.one("SELECT value FROM setting WHERE key = ?", key)
        return SETTINGS[key] if row is None else float(row["value"])

    # -- hosts and volumes --
    def hosts(self) -> list[Host]:
        return [Host.of(row) for row in self.all("SELECT * FROM host ORDER BY name")]

    def find_host(self, name: str) -> Host | None:
        row = self.one("SELECT * FROM host WHERE name = ?", name)
        return None if row is None else Host.of(row)

    def host(self, name: str) -> Host:
        host = self.find_host(name)
        if host is None:
            raise NotFound(f"There is no simulated host called “{name}”.")
        return host

    def set_host(self, name: str, **columns: object) -> None:
        self._update("host", columns, "name = ?", name)

    def volumes(self) -> list[Volume]:
        return [Volume.of(row) for row in self.all("SELECT * FROM volume ORDER BY name")]

    def volume(self, name: str) -> Volume:
        row = self.one("SELECT * FROM volume WHERE name = ?", name)
        if row is None:
            raise NotFound(f"There is no volume called “{name}” on the simulated hosts.")
        return Volume.of(row)

    def attachment(self, host: str, volume: str) -> tuple[bool, bool]:
        """Whether the volume is (active, reachable) on the host."""
        row = self.one("SELECT active, reachable FROM attachment WHERE host = ? AND volume = ?", host, volume)
        return (False, False) if row is None else (bool(row["active"]), bool(row["reachable"]))

    def is_mounted(self, host: str, volume: str) -> bool:
        """Whether what this host has at the volume's path is the volume, not the folder under it."""
        row = self.one("SELECT mounted FROM attachment WHERE host = ? AND volume = ?", host, volume)
        return row is None or bool(row["mounted"])

    def set_attachment(self, host: str, volume: str, **columns: object) -> None:
        self._update("attachment", columns, "host = ? AND volume = ?", host, volume)

    # -- VMs --
    def guest(self, uuid: str) -> Guest:
        row = self.one("SELECT * FROM guest WHERE uuid = ?", uuid)
        if row is None:
            raise NotFound("There is no such VM on the simulated hosts.")
        return Guest.of(row)

    def set_faults(self, uuid: str, faults: dict[str, Any]) -> None:
        self.run("UPDATE guest SET faults = ? WHERE uuid = ?", json.dumps(faults, sort_keys=True), uuid)

    def find_copy(self, host: str, uuid: str) -> Copy | None:
        row = self.one("SELECT * FROM copy WHERE host = ? AND uuid = ?", host, uuid)
        return None if row is None else Copy.of(row)

    def copy(self, host: str, uuid: str) -> Copy:
        copy = self.find_copy(host, uuid)
        if copy is None:
            raise NotFound(f"{host} knows no VM with the id {uuid}.")
        return copy

    def copies_on(self, host: str) -> list[Copy]:
        rows = self.all("SELECT * FROM copy WHERE host = ? ORDER BY name, uuid", host)
        return [Copy.of(row) for row in rows]

    def copies_of(self, uuid: str) -> list[Copy]:
        return [Copy.of(row) for row in self.all("SELECT * FROM copy WHERE uuid = ? ORDER BY host", uuid)]

    def set_copy(self, host: str, uuid: str, **columns: object) -> None:
        """Change a copy; a second running copy of one VM is put on record."""
        self._update("copy", columns, "host = ? AND uuid = ?", host, uuid)
        if columns.get("state") is DomainState.RUNNING:
            running = [c.host for c in self.copies_of(uuid) if c.state is DomainState.RUNNING]
            if len(running) > 1:
                self.record("double_run", uuid, running)

    def drop_copy(self, host: str, uuid: str) -> None:
        self.run("DELETE FROM copy WHERE host = ? AND uuid = ?", host, uuid)

    # -- work --
    def begin(self, kind: str, host: str, uuid: str, due: float | None, **columns: object) -> int:
        values = {
            "kind": kind,
            "phase": "",
            "host": host,
            "uuid": uuid,
            "begun": self.now,
            "due": due,
            **columns,
        }
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        row_id = self.run(f"INSERT INTO work ({names}) VALUES ({marks})", *values.values()).lastrowid
        assert row_id is not None
        return row_id

    def set_work(self, work: Work, **columns: object) -> None:
        self._update("work", columns, "id = ?", work.id)

    def end(self, work: Work, failure: str = "") -> None:
        """Settle a piece of work; `failure` is the host's sentence, empty for success."""
        self.set_work(work, state="failed" if failure else "done", reason=failure, due=self.now)

    def work(self, work_id: int) -> Work | None:
        row = self.one("SELECT * FROM work WHERE id = ?", work_id)
        return None if row is None else Work.of(row)

    def works(self, uuid: str, host: str) -> list[Work]:
        """Jobs under way of one VM that concern one host; a stale incoming copy is none."""
        sql = "SELECT * FROM work WHERE uuid = ? AND state = 'active' AND kind != 'orphan' ORDER BY id"
        works = [Work.of(row) for row in self.all(sql, uuid)]
        return [work for work in works if host in (work.host, work.peer)]

    def orphan(self, uuid: str, host: str) -> Work | None:
        """The end of a stale incoming copy, whose source is lost."""
        sql = "SELECT * FROM work WHERE uuid = ? AND host = ? AND state = 'active' AND kind = 'orphan'"
        row = self.one(sql, uuid, host)
        return None if row is None else Work.of(row)

    def migration(self, uuid: str) -> Work | None:
        """The live migration under way of one VM."""
        row = self.one("SELECT * FROM work WHERE uuid = ? AND state = 'active' AND kind = 'migration'", uuid)
        return None if row is None else Work.of(row)

    def works_touching(self, host: str) -> list[Work]:
        sql = "SELECT * FROM work WHERE state = 'active' AND (host = ? OR peer = ?) ORDER BY id"
        return [Work.of(row) for row in self.all(sql, host, host)]

    def next_due(self) -> Work | None:
        sql = "SELECT * FROM work WHERE state = 'active' AND due <= ? ORDER BY due, id LIMIT 1"
        row = self.one(sql, self.now)
        return None if row is None else Work.of(row)

    # -- files and incidents --
    def file(self, path: str) -> SavedFile | None:
        row = self.one("SELECT * FROM file WHERE path = ?", path)
        return None if row is None else SavedFile.of(row)

    def record(self, kind: str, uuid: str, hosts: list[str]) -> None:
        self.run(
            "INSERT INTO incident (at, kind, uuid, hosts) VALUES (?, ?, ?, ?)",
            self.now,
            kind,
            uuid,
            json.dumps(sorted(hosts)),
        )

    def incidents(self, kind: str) -> list[Incident]:
        rows = self.all("SELECT * FROM incident WHERE kind = ? ORDER BY id", kind)
        return [Incident(r["at"], r["kind"], r["uuid"], tuple(json.loads(r["hosts"]))) for r in rows]

    def _update(self, table: str, columns: dict[str, object], where: str, *keys: object) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        self.run(f"UPDATE {table} SET {names} WHERE {where}", *columns.values(), *keys)
