"""A daemon's connection that ends in the middle of a call, as the installed libvirt words it: no answer."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.certificates import Authority

libvirt = pytest.importorskip("libvirt", reason="libvirt-python is not installed (requirements-libvirt.txt)")

from clustermgr.drivers.contract import HostUnreachable  # noqa: E402
from clustermgr.drivers.libvirt import errors  # noqa: E402
from clustermgr.drivers.libvirt.connection import open_raw  # noqa: E402

#: A reset instead of an orderly end: the socket lingers for no time at all.
AT_ONCE = struct.pack("ii", 1, 0)


@contextmanager
def daemon(folder: Path, *, linger: bytes | None) -> Iterator[int]:
    """Takes the first call of one caller, and is gone before it answers."""
    authority = Authority()
    authority.write_server(folder, "127.0.0.1")
    ours = authority.credentials()
    (folder / "clientcert.pem").write_text(ours.tls_cert)
    (folder / "clientkey.pem").write_text(ours.tls_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "servercert.pem", folder / "serverkey.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, context, linger))
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


def _serve(listening: socket.socket, context: ssl.SSLContext, linger: bytes | None) -> None:
    with suppress(OSError):
        tls = context.wrap_socket(listening.accept()[0], server_side=True)
        tls.send(b"\x01")  # the certificate is taken
        tls.recv(4096)
        with socket.socket(fileno=tls.detach()) as raw:
            if linger:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


@pytest.mark.parametrize("linger", [None, AT_ONCE], ids=["closed", "reset"])
def test_over_tls_an_abrupt_end_is_no_answer(tmp_path: Path, linger: bytes | None) -> None:
    with daemon(tmp_path, linger=linger) as port, pytest.raises(libvirt.libvirtError) as ended:
        open_raw(f"qemu+tls://127.0.0.1:{port}/system?pkipath={tmp_path}")
    assert errors.is_lost(ended.value), ended.value
    assert type(errors.translate(ended.value, "start it")) is HostUnreachable
