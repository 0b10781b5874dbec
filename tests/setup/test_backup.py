"""Backup and restore: one file, one moment, either database, and a cluster that does not act on old news."""

from __future__ import annotations

import gzip
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command

from clustermgr import secrets
from clustermgr.actions import standing
from clustermgr.core.states import OperationState
from clustermgr.management import archive, tables
from clustermgr.management.commands import restore, up
from clustermgr.models import Cluster, Drift, Event, Holder, Operation, Slot, Vm, WatchShard
from clustermgr.ports import clock
from tests import worlds
from tests.fakes import VirtualClock
from tests.twins import second_manager

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(clock: VirtualClock) -> SimpleNamespace:
    """The usual cluster; `web01` moves, with its slots; a definition is sealed."""
    made = worlds.usual()
    made.moving = worlds.operation(made.web01, target=made.two)
    for node in (made.one, made.two):
        Slot.objects.create(node=node, number=1, operation=made.moving)
    Vm.objects.filter(pk=made.web01.pk).update(definition=secrets.seal("<domain/>"), notes="naïve ☃")
    standing.installation()
    return made


@pytest.fixture
def file(world: SimpleNamespace, tmp_path: Path) -> Path:
    path = tmp_path / "monday.backup"
    call_command("backup", str(path))
    return path


def everything() -> dict[str, list[object]]:
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in tables.kept()}


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as end:
        call_command("restore", *words)
    assert end.value.code == 1
    return capsys.readouterr().err


def test_a_backup_is_a_file_for_its_owner_alone(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_no_key_and_no_plain_definition_is_in_it(file: Path) -> None:
    text = gzip.decompress(file.read_bytes()).decode()
    assert "<domain/>" not in text
    assert json.loads(text.splitlines()[0])["seal_keys"] == secrets.fingerprints()
    assert not any(
        key in text for key in (Path(os.environ["CLUSTERMGR_VAR"]) / "seal.key").read_text().split()
    )


def test_what_is_put_back_is_what_was_there(file: Path) -> None:
    before = everything()
    Vm.objects.filter(name="off01").update(notes="changed since")
    Event.objects.all().delete()
    call_command("restore", str(file), "--replace")
    after = everything()
    for label in before.keys() - {f"clustermgr.{name}" for name in SETTLED}:
        assert after[label] == before[label], label
    for label in ("clustermgr.Node", "clustermgr.Vm"):
        assert agreed(after[label]) == agreed(before[label]), label
    assert secrets.unseal(Vm.objects.get(name="web01").definition) == "<domain/>"
    assert Vm.objects.get(name="web01").notes == "naïve ☃"


#: A restore settles the past in these, and takes no state of a node or a machine for one of now.
SETTLED = ("Cluster", "Operation", "Slot", "WatchShard", "Event", "Node", "Vm")
#: Columns of nodes and machines that say what was seen.
SIGHTS = ("state", "observed", "restored", "cpu_percent", "memory_used")


def agreed(rows: list[Any]) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if not name.startswith(SIGHTS)} for row in rows]


def test_a_database_that_was_put_back_stands_down_and_knows_no_lease(file: Path) -> None:
    WatchShard.objects.update(lease_owner="somebody", lease_expires=clock().now())
    Session.objects.create(session_key="k", session_data="", expire_date=clock().now())
    call_command("restore", str(file), "--replace")
    cluster = Cluster.objects.get()
    assert cluster.stood_down_reason.startswith("It was restored from a backup of 2026-03-02T12:00")
    assert cluster.stood_down_by == ""
    assert Event.objects.filter(code="restored", level="critical").exists()
    assert WatchShard.objects.get().lease_owner == ""
    assert not Session.objects.exists()


def test_what_was_under_way_is_closed_as_unknown_and_its_holders_stay(
    world: SimpleNamespace, file: Path
) -> None:
    call_command("restore", str(file), "--replace")
    moving = Operation.objects.get(pk=world.moving.pk)
    assert (moving.state, moving.lease_owner) == (OperationState.FAILED, "")
    assert moving.outcome.startswith("Unknown after restore")
    assert not Slot.objects.exists()
    assert Holder.objects.filter(vm__name="web01").exists()
    assert Drift.objects.exists()


def test_new_rows_get_new_numbers(file: Path) -> None:
    call_command("restore", str(file), "--replace")
    assert worlds.cluster("c2").pk not in {None, Cluster.objects.get(slug="c1").pk}


def test_a_database_that_is_not_empty_is_kept_without_the_word(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything()
    assert "not empty" in refused(capsys, str(file))
    assert everything() == before


def test_nothing_is_put_back_while_a_process_works(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = clock().now().replace(hour=13)
    WatchShard.objects.update(lease_owner="w", lease_expires=later)
    assert "A watch process works on this database" in refused(capsys, str(file), "--replace")
    assert Cluster.objects.get().stood_down_at is None


@pytest.fixture
def start_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], None]], None]]:
    """`manage.py up` as it is, until its processes would start; then what is given happens instead."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PORT", str(free.getsockname()[1]))
    umask = os.umask(0o022)

    def start(meanwhile: Callable[[], None]) -> None:
        monkeypatch.setattr(up, "start", lambda place: meanwhile())
        call_command("up")

    yield start
    os.umask(umask)


def test_nothing_is_put_back_while_it_runs_here(
    file: Path, start_here: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    start_here(lambda: said.append(refused(capsys, str(file), "--replace")))
    assert "already runs here: process" in said[0]
    assert "nothing was changed" in said[0]
    assert Cluster.objects.get().stood_down_at is None
    call_command("restore", str(file), "--replace")  # it has ended


def test_it_does_not_start_here_during_a_restore(
    file: Path,
    start_here: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    started: list[bool] = []

    def put_back_slowly(*words: object, **options: object) -> None:
        with pytest.raises(SystemExit):
            start_here(lambda: started.append(True))

    monkeypatch.setattr(restore.Command, "_restore", put_back_slowly)
    call_command("restore", str(file), "--replace")
    assert "restores a backup. Wait until it has ended." in capsys.readouterr().err
    assert started == []


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def without_end(data: bytes) -> bytes:
    return gzip.compress(b"\n".join(gzip.decompress(data).splitlines()[:-1]) + b"\n")


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


def altered(data: bytes) -> bytes:
    return gzip.compress(gzip.decompress(data).replace(b"web01", b"web02"))


@pytest.mark.parametrize("harm", [cut, without_end, flipped, altered])
def test_a_damaged_file_changes_nothing(
    harm: Callable[[bytes], bytes], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything()
    file.write_bytes(harm(file.read_bytes()))
    assert "Nothing was changed" in refused(capsys, str(file), "--replace").replace("nothing", "Nothing")
    assert everything() == before


@pytest.mark.parametrize("content", [b"", b"no backup", gzip.compress(b'{"a": 1}\n'), gzip.compress(b"[]\n")])
def test_a_file_that_is_no_backup_is_told_apart(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "holiday.jpg").write_bytes(content)
    assert "is no backup of clustermgr" in refused(capsys, str(tmp_path / "holiday.jpg"))
    assert "No such file" in refused(capsys, str(tmp_path / "none"))


def with_head(file: Path, **values: object) -> None:
    lines = gzip.decompress(file.read_bytes()).splitlines()
    head = {**json.loads(lines[0]), **values}
    file.write_bytes(gzip.compress(b"\n".join([json.dumps(head).encode(), *lines[1:]]) + b"\n"))


def test_a_backup_of_a_newer_version_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_head(file, migrations=[*tables.migrations(), "9999_next_century"])
    assert "newer clustermgr (9999_next_century)" in refused(capsys, str(file), "--replace")
    with_head(file, **{archive.KIND: 99})
    assert "newer clustermgr (format 99" in refused(capsys, str(file), "--replace")


def test_a_missing_key_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = secrets.fingerprints()[0]
    monkeypatch.setattr(secrets, "fingerprints", lambda: ["another"])
    call_command("restore", str(file), "--replace")
    assert before in capsys.readouterr().err


def test_a_full_disk_leaves_no_half_of_a_backup(
    world: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.joinpath("b").write_bytes(b"the last good one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive.os, "fsync", _full)
        with pytest.raises(SystemExit):
            call_command("backup", str(tmp_path / "b"))
    assert "No space left on device" in capsys.readouterr().err
    assert tmp_path.joinpath("b").read_bytes() == b"the last good one"
    assert len(list(tmp_path.iterdir())) == 1


def _full(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_an_installation_moves_from_one_machines_database_to_another(
    clock: VirtualClock, tmp_path: Path
) -> None:
    """From SQLite to whatever these tests run on: the way from one machine to several."""
    with second_manager(tmp_path / "small.sqlite3"):
        call_command("migrate", verbosity=0)
        worlds.usual()
        worlds.admin()
        call_command("backup", str(tmp_path / "file"))
        before = tables.counts()
    call_command("restore", str(tmp_path / "file"))
    added = {"clustermgr.Event": 2}  # a restore's own: the stand-down, and the task that was under way
    assert tables.counts() == {label: count + added.get(label, 0) for label, count in before.items()}
    assert worlds.vm("new", on=worlds.node(Cluster.objects.get(), "hv-09")).pk
