"""The lab of real nodes: what it says when it cannot start, and its small guest. Starts nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from clustermgr.kvmlab import image, lab, layout, preflight, processes
from clustermgr.kvmlab.guests import GUESTS


def test_it_says_that_it_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert preflight.lacks() == "The lab makes namespaces and bridges: run it as root."


def test_it_names_the_package_of_a_missing_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == "virsh" else f"/usr/bin/{tool}")
    assert "libvirt-clients" in (preflight.lacks() or "")


def test_a_path_too_long_for_sockets_moves_to_tmp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted = tmp_path / ("long" * 20)
    monkeypatch.setenv("CLUSTERMGR_KVM_LAB", str(wanted))
    found = layout.find()
    assert found.root.parent == Path("/tmp")
    assert len(str(found.socket(1))) < 107
    assert found == layout.find()


def test_taking_down_what_is_not_up_is_no_error(tmp_path: Path) -> None:
    place = layout.Layout(tmp_path / "lab", tmp_path / "cache")
    lab.down(place)
    place.root.mkdir()
    lab.down(place)
    assert not place.root.exists()


def test_only_the_very_process_that_was_started_is_remembered(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    processes.remember(note, os.getpid())
    assert processes.recall(note) == os.getpid()
    note.write_text(f"{os.getpid()} 1\n")  # the same number, started at another time
    assert processes.recall(note) is None


def test_every_guest_has_a_disk_and_identities_of_its_own() -> None:
    assert len({guest.uuid for guest in GUESTS}) == len({guest.name for guest in GUESTS}) == len(GUESTS)
    assert len({guest.disk for guest in GUESTS}) == len(GUESTS)


@pytest.mark.skipif(
    not (shutil.which("as") and shutil.which("qemu-img")), reason="needs binutils and qemu-utils"
)
def test_the_small_guest_is_one_sector(tmp_path: Path) -> None:
    image.boot_disk(image.Program(window_mib=8, pages_per_tick=100), tmp_path / "disk.qcow2")
    processes.run("qemu-img", "convert", "-O", "raw", tmp_path / "disk.qcow2", tmp_path / "disk.raw")
    with (tmp_path / "disk.raw").open("rb") as disk:
        sector, rest = disk.read(512), disk.read(512)
    assert sector[510:] == b"\x55\xaa"
    assert not any(rest)
