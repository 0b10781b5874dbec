"""Lab nodes reached as real hosts are: by ssh with a pinned key and by TLS, through gates on this machine.

The nodes' network reaches nothing else, so a gate joins a port of 127.0.0.1 to one of a node.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from clustermgr.drivers.contract import Credentials
from clustermgr.kvmlab import doors, network
from clustermgr.kvmlab.layout import node_address
from tests.certificates import Authority
from tests.kvm import KvmLab, wait_for

LOCAL = "127.0.0.1"


@contextmanager
def gate(lab: KvmLab, number: int, port: int) -> Iterator[int]:
    """The port of this machine behind which the node's port lies."""
    with socket.create_server((LOCAL, 0)) as taken:
        local = taken.getsockname()[1]
    inside = f"nsenter -t {network.switch_pid(lab.layout)} -n socat - TCP\\:{node_address(number)}\\:{port}"
    words = ["socat", f"TCP-LISTEN:{local},bind={LOCAL},fork,reuseaddr", f"EXEC:{inside}"]
    keeper = subprocess.Popen(words, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: listens(local), 5), "the gate does not open"
        yield local
    finally:
        os.killpg(keeper.pid, signal.SIGKILL)
        keeper.wait()


def listens(port: int) -> bool:
    return any(
        f":{port:04X} 00000000:0000 0A" in line for line in Path("/proc/net/tcp").read_text().split("\n")
    )


class SshDoors:
    """Every node's ssh daemon behind a gate each, and a key that opens them."""

    def __init__(self, lab: KvmLab, folder: Path, ports: dict[int, int]) -> None:
        self.lab, self.ports = lab, ports
        self.key_file = folder / "manager-key"
        make_key(self.key_file)
        public = self.key_file.with_suffix(".pub").read_text()
        self.host_keys = {n: doors.ssh_start(lab.layout, n, [public]) for n in ports}

    def address(self, number: int) -> str:
        return f"qemu+ssh://root@{LOCAL}:{self.ports[number]}/system"

    def credentials(self, number: int) -> Credentials:
        return Credentials(ssh_key=self.key_file.read_text(), host_key=self.host_keys[number][0])


def make_key(path: Path, passphrase: str = "") -> None:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


@contextmanager
def ssh_doors(lab: KvmLab, folder: Path, numbers: tuple[int, ...] = (1, 2)) -> Iterator[SshDoors]:
    with ExitStack() as stack:
        ports = {n: stack.enter_context(gate(lab, n, 22)) for n in numbers}
        for n in numbers:
            stack.callback(doors.ssh_stop, lab.layout, n)
        yield SshDoors(lab, folder, ports)


@contextmanager
def tls_door(
    lab: KvmLab, folder: Path, number: int, authority: Authority, address: str = LOCAL
) -> Iterator[str]:
    """The node listens by TLS with a certificate for `address`; gives the manager's address of it."""
    doors.tls_start(lab.layout, number, authority.write_server(folder, address))
    try:
        with gate(lab, number, 16514) as port:
            yield f"qemu+tls://{LOCAL}:{port}/system"
    finally:
        doors.tls_stop(lab.layout, number)
