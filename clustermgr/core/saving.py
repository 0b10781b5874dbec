"""Where a VM's memory is saved: as a file beside its disks. Volume groups and RBD keep no files."""

from __future__ import annotations

from clustermgr.core.findings import Finding, finding
from clustermgr.core.states import OperationKind

INSTEAD = {
    OperationKind.SAVE: "Shut it down instead.",
    OperationKind.QUICK_MIGRATION: "Use live migration, or Move with another offline action.",
    OperationKind.MOVE: "Choose another offline action than Save.",
}


def keeps_files(path: str) -> bool:
    """Whether a volume with this path is a folder: of a volume group it is one of devices, in memory."""
    return path.startswith("/") and not f"{path}/".startswith("/dev/")


def no_place(vm: str, volume: str | None, path: str, kind: OperationKind) -> Finding | None:
    """Why the memory of `vm`, which lies on `volume` (None: on none that is known), cannot be saved; None
    when it can. `kind`: the order that would save it."""
    if volume is None:
        return finding("save_no_volume", vm=vm, instead=INSTEAD[kind])
    if not keeps_files(path):
        return finding("save_no_files", vm=vm, volume=volume, instead=INSTEAD[kind])
    return None
