"""What the machine must offer before the lab starts; each lack is one sentence with its remedy."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from clustermgr.kvmlab.layout import LabError

#: tool -> Debian package
TOOLS = {
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "libvirtd": "libvirt-daemon",
    "virsh": "libvirt-clients",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "as": "binutils",
    "ld": "binutils",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "depmod": "kmod",
    "modprobe": "kmod",
}
QEMU_DRIVER = "libvirt/connection-driver/libvirt_driver_qemu.so"


def lacks() -> str | None:
    """The first thing that keeps the lab from starting, as a sentence; None when all is there."""
    if platform.machine() != "x86_64":
        return f"The lab's guests are x86-64; this machine is {platform.machine()}."
    if os.geteuid() != 0:
        return "The lab makes namespaces and bridges: run it as root."
    missing = {package for tool, package in TOOLS.items() if not shutil.which(tool)} | _driver_lacks()
    if missing:
        return f"Missing: run apt-get install --no-install-recommends {' '.join(sorted(missing))}"
    if not _namespaces_allowed():
        return "This machine forbids namespaces; a container needs to be privileged for the lab."
    return None


def check() -> None:
    """Raises LabError with what is missing."""
    lack = lacks()
    if lack:
        raise LabError(lack)


def _driver_lacks() -> set[str]:
    found = any(next(Path(base).glob(f"**/{QEMU_DRIVER}"), None) for base in _library_folders())
    return set() if found else {"libvirt-daemon-driver-qemu"}


def _library_folders() -> list[str]:
    return [base for base in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64") if Path(base).is_dir()]


def _namespaces_allowed() -> bool:
    probe = ["unshare", "-m", "-u", "-i", "-p", "-n", "--fork", "--mount-proc", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0
