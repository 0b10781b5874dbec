"""libvirt's states, errors and addresses in our words; needs libvirt-python, but no host."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from clustermgr.drivers.contract import (
    AgentDown,
    Busy,
    DomainState,
    DriverError,
    Failed,
    HostUnreachable,
    NotFound,
    Refused,
)

libvirt = pytest.importorskip("libvirt", reason="libvirt-python is not installed (requirements-libvirt.txt)")

from clustermgr.drivers.libvirt import child, errors, moving, reach, sights  # noqa: E402


@pytest.mark.parametrize(
    ("state", "reason", "saved", "expected"),
    [
        ("RUNNING", 1, False, DomainState.RUNNING),
        ("PAUSED", "PAUSED_USER", False, DomainState.PAUSED),
        ("PAUSED", "PAUSED_IOERROR", False, DomainState.PAUSED_IO),
        ("PAUSED", "PAUSED_STARTING_UP", False, DomainState.STARTING),
        ("SHUTDOWN", 0, False, DomainState.STOPPING),
        ("SHUTOFF", "SHUTOFF_DESTROYED", False, DomainState.OFF),
        ("SHUTOFF", "SHUTOFF_FAILED", False, DomainState.OFF),
        ("SHUTOFF", "SHUTOFF_CRASHED", False, DomainState.CRASHED),
        ("SHUTOFF", "SHUTOFF_SAVED", True, DomainState.SAVED),
        ("CRASHED", 1, False, DomainState.PAUSED_IO),
        ("NOSTATE", 0, False, DomainState.STARTING),
    ],
)
def test_states(state: str, reason: str | int, saved: bool, expected: DomainState) -> None:
    number = reason if isinstance(reason, int) else getattr(libvirt, f"VIR_DOMAIN_{reason}")
    assert sights.state_of(getattr(libvirt, f"VIR_DOMAIN_{state}"), number, saved=saved)[0] is expected


class Answering:
    """A connection to a host with this UUID."""

    def __init__(self, uuid: str) -> None:
        self.getCapabilities = lambda: (
            f"<capabilities><host><uuid>{uuid.upper()}</uuid></host></capabilities>"
        )


@pytest.mark.parametrize("known", ["", "aa-1"])
def test_a_call_is_made_on_the_host_that_was_looked_at(known: str) -> None:
    child.must_be(Answering("aa-1"), known)


def test_a_call_is_not_made_on_another_host_that_answers_there_now() -> None:
    with pytest.raises(HostUnreachable, match="nothing was begun on it"):
        child.must_be(Answering("bb-2"), "aa-1")


def fault(code: str, text: str, origin: str = "QEMU") -> libvirt.libvirtError:
    error = libvirt.libvirtError(text)
    error.err = (getattr(libvirt, f"VIR_ERR_{code}"), getattr(libvirt, f"VIR_FROM_{origin}"), text, 2)
    error.args = (text,)
    return error


@pytest.mark.parametrize(
    ("code", "text", "origin", "kind"),
    [
        ("NO_DOMAIN", "Domain not found: no domain with matching uuid", "QEMU", NotFound),
        ("OPERATION_TIMEOUT", "Timed out: cannot acquire state change lock", "QEMU", Busy),
        ("INTERNAL_ERROR", 'Failed to get "write" lock\nIs another process using it?', "QEMU", Refused),
        ("OPERATION_INVALID", "Requested operation is not valid: odd", "QEMU", Refused),
        ("INTERNAL_ERROR", "client socket is closed", "RPC", HostUnreachable),
        # An abrupt end over TLS, as libvirt 9.0 words it.
        ("SYSTEM_ERROR", "Cannot recv data: Input/output error", "RPC", HostUnreachable),
        ("SYSTEM_ERROR", "Cannot write data: Connection timed out", "RPC", HostUnreachable),
        ("RPC", "Unable to decode message payload", "RPC", HostUnreachable),
        ("INTERNAL_ERROR", "received hangup event on socket", "REMOTE", HostUnreachable),
        ("AUTH_FAILED", "authentication failed", "RPC", Refused),
        # What a source answers that cannot reach its target: nothing was begun.
        ("SYSTEM_ERROR", "unable to connect to server at 'hv-02:16509': Connection refused", "RPC", Failed),
        ("SYSTEM_ERROR", "Unable to read from monitor: Connection reset by peer", "QEMU", Failed),
        ("OPERATION_FAILED", "unable to connect to server at '10.0.0.2:16509'", "QEMU", Failed),
        ("INTERNAL_ERROR", "process exited", "QEMU", Failed),
    ],
)
def test_errors_become_the_contracts(code: str, text: str, origin: str, kind: type[DriverError]) -> None:
    error = errors.translate(fault(code, text, origin), "move the virtual machine")
    assert type(error) is kind
    assert error.sentence.endswith(".")
    assert error.raw == text


def test_an_error_survives_the_way_from_the_child() -> None:
    error = errors.rebuild("Busy", "It is busy.", "raw")
    assert (type(error), error.sentence, error.raw) == (Busy, "It is busy.", "raw")
    assert type(errors.rebuild("print", "Odd.", "")) is Failed


def test_a_refused_port_is_a_dead_daemon_and_not_a_dead_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(AgentDown):
        reach.check(f"qemu+tcp://127.0.0.1:{port}/system", 1)


def test_a_missing_socket_is_a_missing_machine(tmp_path: Path) -> None:
    with pytest.raises(HostUnreachable) as gone:
        reach.check(f"qemu+unix:///system?socket={tmp_path / 'none'}", 1)
    assert not isinstance(gone.value, AgentDown)


def test_the_source_hosts_ssh_never_asks() -> None:
    assert moving.quiet("qemu+ssh://root@hv/system") == "qemu+ssh://root@hv/system?no_tty=1"
    assert moving.quiet("qemu+ssh://hv/system?keyfile=k") == "qemu+ssh://hv/system?keyfile=k&no_tty=1"
    assert moving.quiet("qemu+tcp://hv/system") == "qemu+tcp://hv/system"
