"""Where the lab keeps its state, and the fixed names and addresses of its nodes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

NODES = (1, 2, 3)
CLUSTER = "kvm-lab"
CSV = "csv1"  # active on every node
DISK = "disk1"  # a cluster disk: active on one node at a time
SUBNET = "10.77.0"

#: sun_path holds 107 bytes; what follows the state directory in a management socket's path is below 40.
LONGEST_ROOT = 65


class LabError(Exception):
    """The lab cannot do what was asked; the text is one sentence that says what to do."""


def node_name(number: int) -> str:
    return f"kvm-{number:02d}"


def node_address(number: int) -> str:
    return f"{SUBNET}.{10 + number}"


def host_uuid(number: int) -> str:
    return f"7e570000-0000-4000-8000-{number:012d}"


def node_folder(name: str) -> str:
    """Where a volume is mounted inside every node."""
    return f"/srv/{name}"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one lab. `cache` outlives `down` and may be shared by several labs."""

    root: Path
    cache: Path

    def node(self, number: int) -> Path:
        return self.root / "nodes" / f"n{number}"

    def volume(self, name: str) -> Path:
        return self.root / name

    def socket(self, number: int) -> Path:
        return self.node(number) / "run" / "libvirt" / "libvirt-sock"

    def uri(self, number: int) -> str:
        """How the manager reaches the node from the machine's own namespace."""
        return f"qemu+unix:///system?socket={self.socket(number)}"

    def pid_file(self, name: str) -> Path:
        return self.root / "pids" / name

    @property
    def description(self) -> Path:
        return self.root / "cluster.json"


def migration_address(number: int) -> str:
    """How the other nodes reach this one."""
    return f"qemu+tcp://{node_address(number)}/system"


def find() -> Layout:
    """The lab of this directory, or of CLUSTERMGR_KVM_LAB; in /tmp when the path is too long for sockets."""
    wanted = Path(os.environ.get("CLUSTERMGR_KVM_LAB", "var/kvm-lab")).absolute()
    cache = Path(os.environ.get("CLUSTERMGR_KVM_LAB_CACHE", wanted / "cache")).absolute()
    return Layout(root=short_enough(wanted), cache=cache)


def short_enough(wanted: Path) -> Path:
    if len(str(wanted)) <= LONGEST_ROOT:
        return wanted
    return Path("/tmp") / f"kvm-lab-{hashlib.sha256(str(wanted).encode()).hexdigest()[:10]}"


def accelerator() -> str:
    """The domain type. Software emulation unless told: /dev/kvm may exist and still boot nothing."""
    return "kvm" if os.environ.get("CLUSTERMGR_KVM_LAB_ACCEL", "").lower() == "kvm" else "qemu"
