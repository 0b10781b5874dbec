"""libvirt's errors as the contract's family, each with a sentence for an administrator."""

from __future__ import annotations

import re

import libvirt

from clustermgr.drivers import contract
from clustermgr.drivers.contract import (
    Busy,
    DriverError,
    Failed,
    HostUnreachable,
    NotFound,
    Refused,
    Unsupported,
)

#: What the hypervisor says -> what it means. Matched loosely: QEMU's words are wrapped differently each time.
KNOWN: tuple[tuple[str, type[DriverError], str], ...] = (
    (
        r"Failed to get \S+ lock|another process using the image",
        Refused,
        "A disk of the virtual machine is in use by another process: the image lock refused a second start.",
    ),
    (r"Domain not found|no domain with matching", NotFound, "The host knows no such virtual machine."),
    (r"no storage pool with matching", NotFound, "The host knows no such volume."),
    (r"cannot acquire state change lock", Busy, "Another job holds the virtual machine on this host."),
    (
        r"another \w+ job is (already )?(active|running)",
        Busy,
        "Another job of this virtual machine is under way.",
    ),
    (
        r"Unsafe migration",
        Refused,
        "libvirt does not know that the disk's storage is shared; if it is, allow that in the settings.",
    ),
    (r"canceled by client|operation aborted", Failed, "It was cancelled."),
    (r"domain is already (running|active)", Refused, "The virtual machine is running already."),
    (r"domain is not running", Refused, "The virtual machine is not running."),
    (r"already exists with uuid", Refused, "Another virtual machine on this host has the same name."),
    (
        r"while domain managed save image exists",
        Refused,
        "The host keeps a saved state of this virtual machine; resume or delete it first.",
    ),
    (
        r"unable to connect to server at|Failed to connect to remote libvirt",
        Failed,
        "The source host could not reach the target host's libvirt daemon.",
    ),
)
CODES: dict[str, type[DriverError]] = {
    "VIR_ERR_NO_DOMAIN": NotFound,
    "VIR_ERR_NO_STORAGE_POOL": NotFound,
    "VIR_ERR_NO_STORAGE_VOL": NotFound,
    "VIR_ERR_OPERATION_TIMEOUT": Busy,
    "VIR_ERR_NO_SUPPORT": Unsupported,
    "VIR_ERR_CONFIG_UNSUPPORTED": Unsupported,
    "VIR_ERR_OPERATION_UNSUPPORTED": Unsupported,
    "VIR_ERR_ARGUMENT_UNSUPPORTED": Unsupported,
    "VIR_ERR_OPERATION_INVALID": Refused,
    "VIR_ERR_OPERATION_DENIED": Refused,
    "VIR_ERR_ACCESS_DENIED": Refused,
    "VIR_ERR_AUTH_FAILED": Refused,
    "VIR_ERR_AUTH_CANCELLED": Refused,
    "VIR_ERR_XML_ERROR": Refused,
    "VIR_ERR_XML_DETAIL": Refused,
    "VIR_ERR_INVALID_ARG": Refused,
    "VIR_ERR_MIGRATE_UNSAFE": Refused,
}
_BY_CODE = {getattr(libvirt, name): kind for name, kind in CODES.items() if hasattr(libvirt, name)}
#: What libvirt's own transport says when an answer did not come whole. Its words differ by transport and end:
#: an abrupt end over TLS is "Cannot recv data: Input/output error" in libvirt 9.0.
_TRANSPORT = (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE)
_NO_ANSWER = (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_RPC)
#: Nobody says so of an open connection: it is the answer of a host whose own client reached no other host.
_OF_ANOTHER = re.compile(r"unable to connect to server at|unable to resolve", re.IGNORECASE)


def code_of(error: libvirt.libvirtError) -> int:
    return int(error.get_error_code() or 0)


def is_lost(error: libvirt.libvirtError) -> bool:
    """Whether an open connection is gone, and with it the answer: the host may have acted. Told by who speaks
    and not by words; only a source that could not reach its target at all sounds like a transport, too."""
    if code_of(error) in (libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_NO_CONNECT):
        return True
    transport = error.get_error_domain() in _TRANSPORT and code_of(error) in _NO_ANSWER
    return transport and not _OF_ANOTHER.search(str(error))


def translate(error: libvirt.libvirtError, doing: str) -> DriverError:
    """The contract's error for one of libvirt's. `doing`: as in “start the virtual machine”."""
    raw = str(error)
    if is_lost(error):
        return HostUnreachable(f"The connection to the host was lost while trying to {doing}.", raw=raw)
    for pattern, kind, sentence in KNOWN:
        if re.search(pattern, raw, re.IGNORECASE):
            return kind(sentence, raw=raw)
    kind = _BY_CODE.get(code_of(error), Failed)
    return kind(f"The host could not {doing}: {_last_words(raw)}", raw=raw)


def rebuild(kind: str, sentence: str, raw: str) -> DriverError:
    """An error that came from the child process by name."""
    found = getattr(contract, kind, Failed)
    family = found if isinstance(found, type) and issubclass(found, DriverError) else Failed
    return family(sentence, raw=raw)


def _last_words(raw: str) -> str:
    """libvirt chains its messages with colons and QEMU adds lines; the last line says most."""
    line = (
        [part for part in raw.splitlines() if part.strip()][-1].strip() if raw.strip() else "no reason given"
    )
    return line if line.endswith(".") else f"{line}."
