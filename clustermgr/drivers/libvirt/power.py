"""Starting, pausing and ending a VM."""

from __future__ import annotations

import libvirt

from clustermgr.drivers.libvirt.definitions import find, look_up


def start(handle: libvirt.virConnect, uuid: str) -> None:
    """Paused, from the definition; a managed save is restored instead, and libvirt deletes it then."""
    flags = libvirt.VIR_DOMAIN_START_PAUSED
    find(handle, uuid).createWithFlags(flags)


def resume(handle: libvirt.virConnect, uuid: str) -> None:
    domain = find(handle, uuid)
    if domain.state()[0] != libvirt.VIR_DOMAIN_RUNNING:
        domain.resume()


def suspend(handle: libvirt.virConnect, uuid: str) -> None:
    domain = find(handle, uuid)
    if domain.state()[0] != libvirt.VIR_DOMAIN_PAUSED:
        domain.suspend()


def destroy(handle: libvirt.virConnect, uuid: str) -> None:
    domain = look_up(handle, uuid)
    if domain is None or not domain.isActive():
        return
    try:
        domain.destroy()
    except libvirt.libvirtError as error:
        if error.get_error_code() not in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
            raise  # the others say that it ended by itself meanwhile


def shutdown(handle: libvirt.virConnect, uuid: str, forced: bool) -> None:
    """The power button, which a guest may weigh; forced: the agent's command, which it obeys.

    Without an agent, forced presses the button too: the operation's own time limit then decides.
    """
    domain = find(handle, uuid)
    if forced:
        try:
            domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                raise
        else:
            return
    domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
