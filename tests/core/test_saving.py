"""A VM's memory is saved as a file, so its volume must keep files."""

from __future__ import annotations

import pytest

from clustermgr.core.saving import no_place
from clustermgr.core.states import OperationKind

SAVE, QUICK, MOVE = OperationKind.SAVE, OperationKind.QUICK_MIGRATION, OperationKind.MOVE


@pytest.mark.parametrize("path", ["/srv/csv1", "/var/lib/libvirt/images", "/devices"])
def test_a_folder_takes_it(path: str) -> None:
    assert no_place("web", "csv1", path, SAVE) is None


@pytest.mark.parametrize("path", ["/dev", "/dev/vg0", "/dev/mapper", "", "pool/images"])
def test_devices_and_rbd_do_not(path: str) -> None:
    found = no_place("web", "vg0", path, MOVE)
    assert found.sentence == (
        "The volume vg0 of web keeps no files, so there is no place to save its memory. "
        "Choose another offline action than Save."
    )


@pytest.mark.parametrize(
    ("kind", "instead"),
    [(SAVE, "Shut it down instead."), (QUICK, "Use live migration, or Move with another offline action.")],
)
def test_without_a_volume_there_is_no_place(kind: OperationKind, instead: str) -> None:
    assert no_place("web", None, "", kind).sentence == (
        f"web lies on no volume that is known here, so there is no place to save its memory. {instead}"
    )
