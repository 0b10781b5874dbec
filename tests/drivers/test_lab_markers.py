"""Markers on simulated volumes: an unmounted path, a store of an older version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from clustermgr.drivers.contract import NONCES, Failed, Refused
from clustermgr.drivers.lab.store import Store
from clustermgr.drivers.lab.world import World
from tests.drivers.lab_case import Case

NAME = "clustermgr-m-1-1-1"


def test_an_unmounted_path_keeps_its_marker_to_itself(case: Case) -> None:
    case.faults.unmount("n1", "csv1")
    assert case.host("n1").claim_marker("csv1", NAME, 4)
    assert case.host("n2").markers("csv1") == {}
    assert case.host("n2").claim_marker("csv1", NAME, 5)
    assert case.host("n1").markers("csv1") == {NAME: 4}
    case.host("n1").delete_file(f"/clusterstorage/csv1/{NAME}")
    assert (case.host("n1").markers("csv1"), case.host("n3").markers("csv1")) == ({}, {NAME: 5})


def test_a_volume_that_is_not_reached_has_no_markers_to_tell(case: Case) -> None:
    case.host("n2").claim_marker("csv1", NAME, 1)
    case.faults.storage_cut("n1", "csv1")
    with pytest.raises(Failed, match="cannot reach csv1"):
        case.host("n1").markers("csv1")
    assert [seen.markers for seen in case.host("n1").volumes()] == [()]


def test_a_volume_that_is_not_active_takes_none(case: Case) -> None:
    case.host("n3").deactivate_volume("csv1")
    with pytest.raises(Refused, match="not active on n3"):
        case.host("n3").claim_marker("csv1", NAME, 1)


def test_a_marker_takes_no_room(case: Case) -> None:
    before = case.host("n1").volumes()[0].used_bytes
    case.host("n1").claim_marker("csv1", NAME, NONCES - 1)
    assert case.host("n1").volumes()[0].used_bytes == before


def test_a_marker_is_no_saved_state(case: Case) -> None:
    case.host("n1").claim_marker("csv1", NAME, 1)
    assert not case.host("n2").is_whole(f"/clusterstorage/csv1/{NAME}")
    with pytest.raises(Failed):
        case.host("n2").begin_restore(f"/clusterstorage/csv1/{NAME}")


def test_a_store_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    World.build(Store(path)).node("n1")
    old = sqlite3.connect(path)
    old.execute("ALTER TABLE attachment DROP COLUMN mounted")
    old.execute("PRAGMA user_version=1")
    old.commit()
    old.close()
    with World(Store(path)).read() as tx:
        assert tx.is_mounted("n1", "csv1")
