"""Drift: which differences count, into which bucket they fall, and which are only cosmetic."""

from __future__ import annotations

from typing import Any

import pytest

from clustermgr.core.drift import Bucket, compare, drifted, pending, text

DISK = {"path": "/csv1/a.qcow2", "volume": "csv1", "bus": "virtio", "size_mib": 1024, "shareable": False}
OTHER = {**DISK, "path": "/csv1/b.qcow2"}
NIC = {"mac": "52:54:00:AA:00:01", "network": "prod"}
NIC2 = {"mac": "52:54:00:aa:00:02", "network": "dmz"}
COPY: dict[str, Any] = {
    "name": "web01",
    "memory_mib": 4096,
    "vcpus": 2,
    "notes": "front",
    "disks": [DISK, OTHER],
    "nics": [NIC, NIC2],
    "firmware": "bios",
    "autostart": False,
}


def found(host: dict[str, Any], running: dict[str, Any] | None = None) -> list[tuple[str, Bucket]]:
    now = None if running is None else {**COPY, **running}
    return [(each.field, each.bucket) for each in compare(COPY, {**COPY, **host}, now)]


@pytest.mark.parametrize(
    ("host", "running", "expected"),
    [
        ({}, None, []),
        ({}, {}, []),
        ({"memory_mib": 8192}, None, [("memory_mib", Bucket.CHANGED_OUTSIDE)]),
        ({"memory_mib": 8192}, {}, [("memory_mib", Bucket.CHANGED_OUTSIDE)]),
        ({"memory_mib": 8192}, {"memory_mib": 8192}, [("memory_mib", Bucket.CHANGED_OUTSIDE)]),
        ({"memory_mib": 8192}, {"memory_mib": 6144}, [("memory_mib", Bucket.CONFLICT)]),
        ({}, {"memory_mib": 2048}, [("memory_mib", Bucket.RESTART_PENDING)]),
        ({"vcpus": 4, "name": "www"}, None, [("name", "changed_outside"), ("vcpus", "changed_outside")]),
        ({"autostart": True}, {}, [("autostart", Bucket.CHANGED_OUTSIDE)]),
        ({"disks": [DISK]}, None, [("disks", Bucket.CHANGED_OUTSIDE)]),
        ({"disks": [DISK, {**OTHER, "shareable": True}]}, None, [("disks", Bucket.CHANGED_OUTSIDE)]),
        ({"nics": [NIC, {**NIC2, "network": "lan"}]}, None, [("nics", Bucket.CHANGED_OUTSIDE)]),
    ],
)
def test_each_field_falls_into_its_bucket(host: Any, running: Any, expected: Any) -> None:
    assert found(host, running) == expected


@pytest.mark.parametrize(
    "host",
    [
        {"disks": [OTHER, DISK]},
        {"nics": [NIC2, {**NIC, "mac": NIC["mac"].lower()}]},
        {"notes": "  front\n"},
        {"disks": [{**DISK, "volume": ""}, {**OTHER, "size_mib": 0}]},
        {"firmware": "uefi"},
    ],
)
def test_cosmetic_differences_are_no_drift(host: dict[str, Any]) -> None:
    assert found(host) == []


def test_a_value_that_waits_for_a_restart_is_no_drift() -> None:
    differences = compare(COPY, COPY, {**COPY, "vcpus": 8})
    assert [each.field for each in differences] == ["vcpus"]
    assert drifted(differences) == []


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("memory_mib", 4096, "4 GB"),
        ("autostart", True, "yes"),
        ("notes", "", "empty"),
        ("vcpus", None, "–"),
        ("disks", [DISK], "/csv1/a.qcow2 (virtio, 1 GB)"),
        ("nics", [NIC2], "dmz (52:54:00:aa:00:02)"),
        ("nics", [], "none"),
    ],
)
def test_values_are_shown_in_words(field: str, value: Any, words: str) -> None:
    assert text(field, value) == words


def test_what_counts_at_the_next_start_is_told_with_what_runs_until_then() -> None:
    smaller = {**COPY, "memory_mib": 2048, "notes": "not shown by what runs"}
    assert pending(COPY, COPY, smaller) == {"memory_mib": 2048}
    assert pending(COPY, {**COPY, "memory_mib": 8192}, smaller) == {}  # that is drift: somebody decides first
    assert pending(COPY, COPY, None) == {}
