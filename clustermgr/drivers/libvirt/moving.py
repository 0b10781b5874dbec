"""Live migration, saving and restoring: the calls themselves, and cancelling them."""

from __future__ import annotations

import libvirt

from clustermgr.drivers.contract import Refused
from clustermgr.drivers.libvirt.definitions import find, look_up
from clustermgr.drivers.libvirt.sights import job_of
from clustermgr.drivers.libvirt.storage import folder_pool

MIB = 1 << 20

#: PEER2PEER: the hosts go on when our process dies (a managed migration would be cancelled).
FLAGS = (
    libvirt.VIR_MIGRATE_PEER2PEER
    | libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_PERSIST_DEST
    | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
)


def migrate(handle: libvirt.virConnect, uuid: str, address: str, bandwidth: int, unsafe: bool) -> None:
    """Blocks until the VM runs on the host at `address`. `bandwidth`: bytes per second, 0 = no limit."""
    flags = FLAGS | (libvirt.VIR_MIGRATE_UNSAFE if unsafe else 0)
    # libvirt counts in MiB/s; rounding a small limit to 0 would mean none at all.
    parameters = {libvirt.VIR_MIGRATE_PARAM_BANDWIDTH: max(1, bandwidth // MIB)} if bandwidth else {}
    find(handle, uuid).migrateToURI3(quiet(address), parameters, flags)


def quiet(address: str) -> str:
    """The source host's ssh must never ask: nobody is there to answer, and the job would wait for ever."""
    if "+ssh:" in address.partition("//")[0] and "no_tty=" not in address:
        return f"{address}{'&' if '?' in address else '?'}no_tty=1"
    return address


def abort_job(handle: libvirt.virConnect, uuid: str) -> None:
    domain = look_up(handle, uuid)
    job = None if domain is None else job_of(domain)
    if domain is None or job is None:
        return
    if job.switching:
        raise Refused("The switch-over has begun; it can no longer be cancelled.")
    try:
        domain.abortJob()
    except libvirt.libvirtError as error:
        ended = job_of(domain) is None
        if ended:
            return
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
            raise Refused("This job can no longer be cancelled.", raw=str(error)) from error
        raise


def save(handle: libvirt.virConnect, uuid: str, path: str) -> None:
    """To a path on shared storage, never libvirt's managed save, which stays on the node."""
    domain = find(handle, uuid)
    folder_pool(handle, path, build=True)
    domain.saveFlags(path, None, 0)


def restore(handle: libvirt.virConnect, path: str) -> None:
    """Paused, so that a copy that comes late has never run."""
    handle.restoreFlags(path, None, libvirt.VIR_DOMAIN_SAVE_PAUSED)
