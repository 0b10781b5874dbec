"""Ways into a node over its network besides plain TCP: an ssh daemon of its own, and libvirt by TLS."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from clustermgr.kvmlab import nodes
from clustermgr.kvmlab.layout import NODES, LabError, Layout, node_address, node_name
from clustermgr.kvmlab.processes import run, wait_until

SSHD = "/usr/sbin/sshd"
CONFIG = "/etc/lab-sshd/config"
PID = "/run/lab-sshd.pid"
KEY_TYPES = ("ed25519", "ecdsa")
#: What libvirtd reads -> the file of the folder that is handed over.
CERTIFICATES = {
    "CA/cacert.pem": "cacert.pem",
    "libvirt/servercert.pem": "servercert.pem",
    "libvirt/private/serverkey.pem": "serverkey.pem",
}


def ssh_start(layout: Layout, number: int, authorized: Sequence[str] = ()) -> list[str]:
    """Start the node's ssh daemon on port 22; root signs in with one of the `authorized` keys.

    Host keys are made the first time and kept. Returns them, without host name. The other nodes' root may
    sign in too, so that a migration can go from host to host by ssh. An earlier daemon is ended.
    """
    if not Path(SSHD).exists():
        raise LabError("Missing: run apt-get install --no-install-recommends openssh-server")
    ssh_stop(layout, number)
    own = layout.node(number) / "etc" / "lab-sshd"
    keys = _host_keys(own)
    peers = [_own_key(layout, n) for n in NODES]
    _home_file(layout, number, "authorized_keys", [*authorized, *peers])
    for n in NODES:  # each knows all that have a door by now
        _home_file(layout, n, "known_hosts", _known(layout))
    (own / "config").write_text(_config(number))
    run(*nodes.inside(layout, number, ["sh", "-c", f"mkdir -p /run/sshd && setsid {SSHD} -f {CONFIG}"]))
    wait_until(
        (layout.node(number) / PID[1:]).exists, 10, f"the ssh daemon of {node_name(number)} does not start"
    )
    return keys


def ssh_stop(layout: Layout, number: int) -> None:
    """The daemon and every session of it end at once."""
    if (layout.node(number) / PID[1:]).exists():
        stop = f"pkill -KILL -f '^sshd: '; rm -f {PID}"
        run(*nodes.inside(layout, number, ["sh", "-c", stop]))


def new_host_keys(layout: Layout, number: int) -> None:
    """As if the host had been installed anew: its next ssh daemon has other keys."""
    shutil.rmtree(layout.node(number) / "etc" / "lab-sshd", ignore_errors=True)


def tls_start(layout: Layout, number: int, folder: Path) -> None:
    """libvirtd listens by TLS, with `folder`'s cacert.pem, servercert.pem and serverkey.pem; guests go on."""
    for target, name in CERTIFICATES.items():
        path = layout.node(number) / "etc" / "pki" / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, path)
        path.chmod(0o600)
    _restart(layout, number)


def tls_stop(layout: Layout, number: int) -> None:
    for target in CERTIFICATES:
        (layout.node(number) / "etc" / "pki" / target).unlink(missing_ok=True)
    _restart(layout, number)


def _restart(layout: Layout, number: int) -> None:
    nodes.write_settings(layout, number)
    with suppress(LabError):  # it may have ended over its certificate
        nodes.daemon_signal(layout, number, "KILL")
    nodes.daemon_start(layout, number)


def _host_keys(folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    return [_key(folder / f"host_{kind}", kind) for kind in KEY_TYPES]


def _own_key(layout: Layout, number: int) -> str:
    return _key(_home(layout, number) / "id_ed25519", "ed25519")


def _key(path: Path, kind: str) -> str:
    """The public key, made when there is none: type and key without a comment."""
    if not path.exists():
        run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "lab", "-f", path)
    return " ".join(path.with_name(f"{path.name}.pub").read_text().split()[:2])


def _known(layout: Layout) -> list[str]:
    return [
        f"{node_address(n)},{node_name(n)} {key.read_text().strip()}"
        for n in NODES
        for key in sorted((layout.node(n) / "etc" / "lab-sshd").glob("host_*.pub"))
    ]


def _home(layout: Layout, number: int) -> Path:
    home = layout.node(number) / "root" / ".ssh"
    home.mkdir(parents=True, exist_ok=True)
    for folder in (home.parent, home):
        folder.chmod(0o700)
    return home


def _home_file(layout: Layout, number: int, name: str, lines: list[str]) -> None:
    path = _home(layout, number) / name
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)


def _config(number: int) -> str:
    hosts = "\n".join(f"HostKey /etc/lab-sshd/host_{kind}" for kind in KEY_TYPES)
    return f"""Port 22
ListenAddress {node_address(number)}
{hosts}
PidFile {PID}
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
AuthorizedKeysFile /root/.ssh/authorized_keys
"""
