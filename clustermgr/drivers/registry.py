"""Driver names to their connections. A driver's package is imported when it is first needed."""

from __future__ import annotations

from typing import Protocol

from clustermgr.drivers.contract import HostDriver, Unsupported

DRIVERS = ("lab", "libvirt")


class Opener(Protocol):
    def connect(self, address: str, *, deadline: float) -> HostDriver: ...


def connect(driver: str, address: str, *, deadline: float = 5.0) -> HostDriver:
    """Open one connection. `address`: `lab:hv-01` or a libvirt URI; `deadline`: seconds for each call.

    Raises HostUnreachable, AgentDown, Unsupported.
    """
    return load(driver).connect(address, deadline=deadline)


def load(driver: str) -> Opener:
    """Raises Unsupported, with what to install, when this installation cannot speak to such hosts."""
    if driver == "lab":
        from clustermgr.drivers.lab.driver import LabHost

        return LabHost
    if driver == "libvirt":
        from clustermgr.drivers.libvirt.driver import LibvirtHost

        return LibvirtHost
    raise Unsupported(f"There is no driver called “{driver}”. Use one of: {', '.join(DRIVERS)}.")
