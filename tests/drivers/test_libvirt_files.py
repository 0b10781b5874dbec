"""Saved states as files of libvirt's pools: "gone" is said only when it is certain. Needs no host."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from clustermgr.drivers.contract import Busy, Failed
from tests.drivers.test_libvirt_words import fault, libvirt

from clustermgr.drivers.libvirt import storage  # isort: skip

PATH = "/srv/csv1/web-7.save"
BUSY = fault("INTERNAL_ERROR", "internal error: pool 'csv1' has asynchronous jobs running.", "STORAGE")
GONE = fault("SYSTEM_ERROR", "cannot open path '/srv/csv1': No such file or directory", "STORAGE")
CUT = fault("SYSTEM_ERROR", "cannot open path '/srv/csv1': Input/output error", "STORAGE")


@dataclass
class Pool:
    """A pool over /srv/csv1 on a host that has no other; `error`: what its refresh says."""

    files: list[str] = field(default_factory=list)
    error: Exception | None = None

    def listAllStoragePools(self, flags: int) -> list[Pool]:
        return [self]

    def storagePoolLookupByName(self, name: str) -> Pool:
        return self

    def name(self) -> str:
        return "csv1"

    def isActive(self) -> bool:
        return True

    def XMLDesc(self, flags: int) -> str:
        return "<pool><target><path>/srv/csv1</path></target></pool>"

    def refresh(self, flags: int) -> None:
        if self.error:
            raise self.error

    def storageVolLookupByName(self, name: str) -> str:
        if name not in self.files:
            raise fault("NO_STORAGE_VOL", "Storage volume not found", "STORAGE")
        return name


def test_a_file_is_there_or_not() -> None:
    assert storage.has_file(Pool(["web-7.save"]), PATH)
    assert not storage.has_file(Pool(["db-7.save"]), PATH)


def test_a_busy_pool_shows_what_it_knew_and_never_says_that_a_file_is_gone() -> None:
    assert storage.has_file(Pool(["web-7.save"], BUSY), PATH)
    with pytest.raises(Busy, match="The volume is busy on this host"):
        storage.has_file(Pool([], BUSY), PATH)


def test_a_folder_that_is_not_there_says_nothing_of_its_files() -> None:
    with pytest.raises(Failed, match="/srv/csv1 is not there on this host"):
        storage.has_file(Pool([], GONE), PATH)


def test_a_storage_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(libvirt.libvirtError, match="Input/output error"):
        storage.has_file(Pool([], CUT), PATH)
