"""Driver names to their connections. A driver's package is imported when it is first needed."""

from __future__ import annotations

from typing import Protocol

from clustermgr.drivers.contract import Credentials, DriverError, HostDriver, Probe, Unsupported

DRIVERS = ("lab", "libvirt")
NOBODY = Credentials()


class Opener(Protocol):
    def connect(
        self, address: str, *, credentials: Credentials | None = None, deadline: float
    ) -> HostDriver: ...

    def probe(self, address: str, *, credentials: Credentials, deadline: float) -> Probe:
        """May raise DriverError: it is told as the only finding."""
        ...


def connect(
    driver: str, address: str, *, credentials: Credentials | None = None, deadline: float = 5.0
) -> HostDriver:
    """Open one connection. `address`: `lab:hv-01` or a libvirt URI; `deadline`: seconds for each call.

    Raises HostUnreachable, AgentDown, Refused (sign-in, another host key, another certificate), Unsupported.
    """
    return load(driver).connect(address, credentials=credentials, deadline=deadline)


def probe(
    driver: str, address: str, *, credentials: Credentials | None = None, deadline: float = 5.0
) -> Probe:
    """Test a connection and say what is missing, in sentences; never raises DriverError. Changes nothing.

    By ssh without a pinned `credentials.host_key` nobody signs in: `host_keys` are those that the host
    offers, and a finding asks to confirm one. `deadline`: seconds for each call, of which there are several.
    """
    try:
        return load(driver).probe(address, credentials=credentials or NOBODY, deadline=deadline)
    except DriverError as error:
        return Probe().found("error", error.sentence)


def load(driver: str) -> Opener:
    """Raises Unsupported, with what to install, when this installation cannot speak to such hosts."""
    if driver == "lab":
        from clustermgr.drivers.lab.driver import LabHost

        return LabHost
    if driver == "libvirt":
        from clustermgr.drivers.libvirt.driver import LibvirtHost

        return LibvirtHost
    raise Unsupported(f"There is no driver called “{driver}”. Use one of: {', '.join(DRIVERS)}.")
