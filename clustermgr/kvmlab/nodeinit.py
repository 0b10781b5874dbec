"""First process of a lab node, inside its new namespaces: builds the node's file tree, then collects orphans.

Everything the node writes lands in its own folder; the machine's /etc, /run, /var and /srv stay untouched.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

OWN = ("etc", "root", "run", "srv", "var")  # the node's own
FRESH = ("proc", "sys", "dev")


def mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def bind(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    mount("--rbind", source, target)


def build_tree(folder: Path, volumes: list[Path]) -> Path:
    tree = folder / "tree"
    mount("-t", "tmpfs", "-o", "size=16m", "lab", tree)
    for entry in Path("/").iterdir():
        if entry.is_symlink():
            (tree / entry.name).symlink_to(entry.readlink())
        elif entry.is_dir() and entry.name not in (*OWN, *FRESH):
            bind(entry, tree / entry.name)
    for name in ("etc", "root", "run", "var"):
        bind(folder / name, tree / name)
    for volume in volumes:
        bind(volume, tree / "srv" / volume.name)
    for name in FRESH:
        (tree / name).mkdir()
    mount("-t", "proc", "proc", tree / "proc")
    mount("-t", "sysfs", "sysfs", tree / "sys")  # shows this network namespace's interfaces
    mount("--rbind", "/dev", tree / "dev")
    return tree


def keep_own_etc(folder: Path, hosts: str) -> None:
    """/etc is a copy made at the first power-on: definitions live there and outlast a power cut."""
    etc = folder / "etc"
    if not (etc / "passwd").exists():
        shutil.copytree("/etc", etc, symlinks=True, dirs_exist_ok=True, ignore=_only_files)
    (etc / "hosts").write_text(hosts)
    # Debian's libvirtd will not start without this user, which only libvirt-daemon-system makes.
    add_line(etc / "passwd", "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin")
    add_line(etc / "group", "libvirt-qemu:x:64055:")


def _only_files(folder: str, names: list[str]) -> list[str]:
    """Sockets and pipes cannot be copied, and private keys need not be."""
    return [
        name
        for name in names
        if name in ("ssl", "ssh", "libvirt")
        or not ((path := Path(folder, name)).is_file() or path.is_dir() or path.is_symlink())
    ]


def add_line(path: Path, line: str) -> None:
    text = path.read_text()
    if f"\n{line.split(':')[0]}:" not in f"\n{text}":
        path.write_text(text.rstrip("\n") + "\n" + line + "\n")


def main(folder: Path, name: str, volumes: list[Path], hosts: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    socket.sethostname(name)
    keep_own_etc(folder, hosts)
    for inner in ("lib/libvirt", "cache/libvirt", "log/libvirt", "tmp"):
        (folder / "var" / inner).mkdir(parents=True, exist_ok=True)
    if not (folder / "var" / "run").is_symlink():  # where virt-ssh-helper looks for the daemon's socket
        (folder / "var" / "run").symlink_to("/run")
    os.chroot(build_tree(folder, volumes))
    os.chdir("/")
    Path("/run/ready").write_text("ok\n")
    while True:
        signal.sigwaitinfo({signal.SIGCHLD})
        collect_orphans()


def collect_orphans() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            continue
    except ChildProcessError:
        return


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    main(Path(sys.argv[1]), sys.argv[2], [Path(word) for word in sys.argv[4:]], sys.argv[3])
