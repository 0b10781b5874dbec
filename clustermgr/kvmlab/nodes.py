"""One lab node: its power, its libvirt daemon, and commands inside it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from clustermgr.kvmlab import network
from clustermgr.kvmlab.layout import CSV, DISK, NODES, LabError, Layout, host_uuid, node_address, node_name
from clustermgr.kvmlab.processes import end, only_child, recall, remember, run, spawn, wait_until

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
DAEMON_PID = "/run/libvirt/libvirtd.pid"


def power_on(layout: Layout, number: int) -> None:
    """Namespaces, file tree, cable, daemon. The node's own files are kept from its last life."""
    if recall(layout.pid_file(f"n{number}")) is not None:
        raise LabError(f"{node_name(number)} is powered on already.")
    folder = layout.node(number)
    shutil.rmtree(folder / "run", ignore_errors=True)
    for name in ("etc", "root", "run/libvirt", "var", "tree"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_settings(layout, number)
    first = _spawn_node(layout, number, folder)
    network.plug_in(layout, number, first)
    daemon_start(layout, number)


def _spawn_node(layout: Layout, number: int, folder: Path) -> int:
    hosts = "127.0.0.1 localhost\n" + "".join(f"{node_address(n)} {node_name(n)}\n" for n in NODES)
    volumes = [layout.volume(CSV), layout.volume(DISK)]
    init: list[str | Path] = [
        sys.executable,
        "-m",
        "clustermgr.kvmlab.nodeinit",
        folder,
        node_name(number),
        hosts,
        *volumes,
    ]
    apart = ["unshare", "-m", "-u", "-i", "-p", "-n", "--fork", "--kill-child", "--propagation", "private"]
    pid = spawn(["env", f"PYTHONPATH={PACKAGE_ROOT}", *apart, *init], folder / "init.log")
    remember(layout.pid_file(f"n{number}.outer"), pid)
    wait_until(lambda: only_child(pid), 10, f"{node_name(number)} gets no first process")
    first = only_child(pid)
    if first is None:
        raise LabError(f"{node_name(number)} ended while it started; see {folder / 'init.log'}.")
    remember(layout.pid_file(f"n{number}"), first)
    wait_until((folder / "run" / "ready").exists, 20, f"{node_name(number)} builds no file tree")
    return first


def power_off(layout: Layout, number: int) -> None:
    """As if the plug were pulled: the daemon and every guest end at once, the cable goes with them."""
    network.cut(layout, number)  # first, so that no peer is told: a dead machine sends no farewell
    end(layout.pid_file(f"n{number}"))
    end(layout.pid_file(f"n{number}.outer"))
    network.unplug(layout, number)
    # A dead machine leaves no socket behind; a dead daemon does (and then refuses).
    for leftover in (layout.node(number) / "run" / "libvirt").glob("*sock*"):
        leftover.unlink(missing_ok=True)


def inside(layout: Layout, number: int, command: Sequence[str]) -> list[str]:
    """The command line that runs `command` inside the node."""
    pid = recall(layout.pid_file(f"n{number}"))
    if pid is None:
        raise LabError(f"{node_name(number)} is powered off.")
    return ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--", *command]


def daemon_start(layout: Layout, number: int) -> None:
    layout.socket(number).unlink(missing_ok=True)
    had_disk = (layout.node(number) / "run" / "libvirt" / "storage" / f"{DISK}.xml").exists()
    daemon = f"setsid libvirtd --listen --pid-file {DAEMON_PID} >/var/log/libvirt/out.log 2>&1"
    script = f"rm -f {DAEMON_PID}; {daemon} &"
    run(*inside(layout, number, ["sh", "-c", script]))
    wait_until(
        lambda: _listens(layout.socket(number)), 20, f"libvirtd of {node_name(number)} does not listen"
    )
    # libvirt takes any folder that exists for an active pool; a cluster disk is not there until activated.
    virsh = ("virsh", "-q", "-c", layout.uri(number))
    if not had_disk and f" {DISK} " in run(*virsh, "pool-list"):
        run(*virsh, "pool-destroy", DISK)


def _listens(path: Path) -> bool:
    """The file is there a moment before anybody listens on it."""
    with socket.socket(socket.AF_UNIX) as door:
        return door.connect_ex(str(path)) == 0


def daemon_signal(layout: Layout, number: int, signal: str) -> None:
    """KILL: guests go on and the socket refuses. STOP and CONT: the daemon hangs and goes on."""
    run(*inside(layout, number, ["sh", "-c", f"kill -{signal} $(cat {DAEMON_PID})"]))


def is_on(layout: Layout, number: int) -> bool:
    return recall(layout.pid_file(f"n{number}")) is not None


def write_settings(layout: Layout, number: int) -> None:
    """What the daemon reads when it starts. It listens by TLS where there is a certificate for it."""
    etc = layout.node(number) / "etc"
    folder = etc / "libvirt"
    folder.mkdir(parents=True, exist_ok=True)
    address = node_address(number)
    group = _socket_group()
    (folder / "libvirtd.conf").write_text(
        f'''listen_tls = {int((etc / "pki" / "libvirt" / "servercert.pem").exists())}
listen_tcp = 1
listen_addr = "{address}"
auth_tcp = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "{"0770" if group else "0700"}"
unix_sock_ro_perms = "{"0770" if group else "0700"}"
{f'unix_sock_group = "{group}"' if group else ""}
host_uuid = "{host_uuid(number)}"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
max_clients = 200
keepalive_interval = 5
keepalive_count = 5
'''
    )
    (folder / "qemu.conf").write_text(
        f'''user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
migration_host = "{address}"
keepalive_interval = 5
keepalive_count = 3
'''
    )


def _socket_group() -> str:
    """Started by sudo: the person behind it may use the sockets, nobody else on the machine."""
    return os.environ.get("SUDO_GID", "")
