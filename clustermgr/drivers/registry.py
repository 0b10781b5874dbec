"""Driver names to their connections. A driver's package is imported when it is first needed."""

from __future__ import annotations

from clustermgr.drivers.contract import HostDriver, Unsupported

DRIVERS = ("lab", "libvirt")


def connect(driver: str, address: str, *, deadline: float = 5.0) -> HostDriver:
    """Open one connection. `address`: `lab:hv-01` or a libvirt URI; `deadline`: seconds for each call.

    Raises HostUnreachable, AgentDown, Unsupported.
    """
    if driver == "lab":
        from clustermgr.drivers.lab.driver import LabHost

        return LabHost.connect(address, deadline=deadline)
    if driver == "libvirt":
        from clustermgr.drivers.libvirt.driver import LibvirtHost

        return LibvirtHost.connect(address, deadline=deadline)
    raise Unsupported(f"There is no driver called “{driver}”. Use one of: {', '.join(DRIVERS)}.")
