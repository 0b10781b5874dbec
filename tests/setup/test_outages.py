"""Redis, PostgreSQL or the disk is gone: said plainly, no order lost or done twice, work goes on."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clustermgr.cli.client import Refused
from tests.postgres import Postgres
from tests.setup.outages import OUTAGE_S, SOAK, Disk, Guest, Redis
from tests.stack import Stack

pytestmark = [pytest.mark.redis, pytest.mark.root, pytest.mark.slow]


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path that PostgreSQL's account can walk through."""
    folder = Path(tempfile.mkdtemp(prefix="out-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis(place: Path) -> Iterator[Redis]:
    server = Redis(place / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def disk(place: Path) -> Iterator[Disk]:
    small = Disk(place / "disk", mib=64)
    yield small
    small.remove()


@pytest.fixture
def postgres(place: Path) -> Iterator[Postgres]:
    with Postgres(place / "pg") as server:
        yield server


#: Those that nobody may have to start again; the supervisor starts workers anew where that is quick.
PROCESSES = ("web", "worker", "watch", "beat")


EITHER = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=EITHER if SOAK else EITHER[:1])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings for a stack: its own file, or a server."""
    if request.param == "sqlite":
        return {}
    return {"DATABASE_URL": request.getfixturevalue("postgres").create("clustermgr")}


def rest_of_outage(began: float) -> None:
    time.sleep(max(0.0, OUTAGE_S - (time.monotonic() - began)))


def pids(stack: Stack) -> dict[str, int | None]:
    return {name: stack.pid(name) for name in PROCESSES}


def test_redis_is_gone(place: Path, redis: Redis, database: dict[str, str]) -> None:
    with Stack(place / "var", REDIS_URL=redis.url, **database) as stack:
        guest, before = Guest(stack), pids(stack)
        first = guest.move("web01", "hv-02")
        guest.under_way(first)
        redis.stop()
        gone = time.monotonic()
        second = guest.move("mx01", "hv-03")  # taken, and kept in its row
        stack.wait(lambda: "Not running: Redis" in guest.page()[1], 15, "the banner")
        assert guest.percent(first) > 5
        rest_of_outage(gone)
        assert guest.operation(second)["state"] == "queued"
        redis.start()
        guest.assert_moved_once(first, "web01", "hv-02")
        guest.assert_moved_once(second, "mx01", "hv-03")
        stack.wait(lambda: "Not running" not in guest.page()[1], 20, "the banner to go")
        assert pids(stack) == before


@pytest.mark.postgres
def test_postgresql_is_gone(place: Path, postgres: Postgres) -> None:
    with Stack(place / "var", DATABASE_URL=postgres.create("clustermgr")) as stack:
        guest, before = Guest(stack), pids(stack)
        first = guest.move("web01", "hv-02")
        guest.under_way(first)
        postgres.stop()
        gone = time.monotonic()
        status, text = guest.page()
        assert (status, "cannot reach its database" in text) == (503, True)
        refused_while_gone(guest, "cannot reach its database")
        rest_of_outage(gone)
        postgres.start()
        stack.wait(lambda: guest.page()[0] == 200, 10, "a page to be there again")
        goes_on(guest, first)
        assert pids(stack) == before


def test_the_managers_disk_is_full(place: Path, disk: Disk) -> None:
    hosts = place / "hosts.sqlite3"  # hosts have disks of their own
    with Stack(disk.folder / "var", CLUSTERMGR_LAB_STORE=str(hosts)) as stack:
        guest = Guest(stack, hosts)
        first = guest.move("web01", "hv-02")
        guest.under_way(first)
        disk.fill()
        gone = time.monotonic()
        assert "The disk of this console is full" in guest.page()[1]
        refused_while_gone(guest, "disk under the console's database is full")
        rest_of_outage(gone)
        assert guest.page()[0] == 200
        disk.make_room()
        goes_on(guest, first)
        assert "The disk of this console is full" not in guest.page()[1]


def refused_while_gone(guest: Guest, because: str) -> None:
    with pytest.raises(Refused, match=because):
        guest.move("mx01", "hv-03")


def goes_on(guest: Guest, first: int) -> None:
    """The order that was under way ends truly, the refused one was not done, and new ones are taken."""
    guest.stack.wait(lambda: guest.asked(first), 60, "the console to answer")
    guest.assert_moved_once(first, "web01", "hv-02")
    guest.assert_moved_once(guest.move("mx01", "hv-03"), "mx01", "hv-03")
