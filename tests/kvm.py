"""The fixture `kvm_lab`: three real libvirt nodes for one test session, at the first test that asks for them.

A folder that needs it imports it in its conftest: `from tests.kvm import kvm_lab as kvm_lab`.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clustermgr.drivers import registry
from clustermgr.drivers.contract import Destination
from clustermgr.kvmlab import lab, network, nodes, preflight
from clustermgr.kvmlab.guests import COUNTER
from clustermgr.kvmlab.layout import CSV, NODES, LabError, Layout, migration_address, node_name
from clustermgr.kvmlab.processes import recall

CACHE = Path(__file__).resolve().parents[1] / "var" / "kvm-lab" / "cache"
_up: list[KvmLab] = []


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    address: str  # the URI of the manager's connection
    migration_address: str


class KvmLab:
    """The lab as tests use it. Nodes are numbered 1, 2, 3."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.root = layout.root
        self.description: dict[str, Any] = json.loads(layout.description.read_text())
        self.nodes = [
            Node(node["name"], node["address"], node["migration_address"])
            for node in self.description["nodes"]
        ]

    def uri(self, number: int) -> str:
        return self.layout.uri(number)

    def destination(self, number: int) -> Destination:
        return Destination(migration_address(number), node_name(number))

    def vm(self, name: str) -> str:
        """The UUID of one of the lab's guests."""
        return next(str(vm["uuid"]) for vm in self.description["vms"] if vm["name"] == name)

    def counter(self) -> int:
        """The last number that the guest `counter` wrote. It restarts at 1 when the guest does."""
        return self.counts()[-1]

    def counts(self) -> list[int]:
        """Every number that it ever wrote."""
        text = (self.layout.volume(CSV) / "console" / f"{COUNTER.name}.log").read_text(errors="replace")
        return [int(line, 16) for line in text.split("\n")[:-1] if line]

    def pids(self, uuid: str) -> list[int]:
        """The QEMU processes of one VM on all nodes, whatever their daemons believe."""
        ours = {namespace(first) for n in NODES if (first := recall(self.layout.pid_file(f"n{n}")))}
        running = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
        return [
            pid
            for pid in running
            if f"-uuid\0{uuid}\0".encode() in command_line(pid) and namespace(pid) in ours
        ]

    def unmanage(self) -> None:
        """Take away what an earlier test's manager wrote on the guests: the next one would keep away."""
        for node in self.nodes:
            with closing(registry.connect("libvirt", node.address, deadline=20)) as host:
                for sight in host.sights():
                    host.stamp(sight.uuid, "")

    def virsh(self, number: int, *command: str) -> str:
        """A change behind the manager's back."""
        return lab.virsh(self.uri(number), *command)

    def names(self, number: int) -> list[str]:
        """The guests that a node knows, running or not."""
        return sorted(self.virsh(number, "list", "--all", "--name").split())

    def bring(self, name: str, number: int) -> None:
        """Let a running guest be on this node, wherever earlier tests left it."""
        here = next(n for n in NODES if name in self.names(n))
        if here != number:
            how = ("--live", "--p2p", "--persistent", "--undefinesource", "--unsafe")
            self.virsh(here, "migrate", *how, name, migration_address(number))

    def power_off(self, number: int) -> None:
        nodes.power_off(self.layout, number)

    def power_on(self, number: int) -> None:
        nodes.power_on(self.layout, number)

    def daemon(self, number: int, signal: str) -> None:
        """KILL, STOP or CONT."""
        nodes.daemon_signal(self.layout, number, signal)

    def daemon_start(self, number: int) -> None:
        nodes.daemon_start(self.layout, number)

    def link(self, number: int, state: str) -> None:
        """`up` or `down`."""
        network.set_link(self.layout, number, state)


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it ended meanwhile


def namespace(pid: int) -> str:
    """Tells the nodes of one lab from those of another."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:
        return ""


def wait_for(condition: Callable[[], object], seconds: float = 20, pause: float = 0.05) -> bool:
    """Whether it came true in time; real hosts take real time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(pause)
    return True


@pytest.fixture(scope="session")
def kvm_lab() -> Iterator[KvmLab]:
    if _up:  # another folder's conftest imported the same fixture
        yield _up[0]
        return
    lack = preflight.lacks()
    if lack:
        pytest.skip(lack)
    with tempfile.TemporaryDirectory(prefix="kvm-") as folder:
        layout = Layout(Path(folder), CACHE)
        try:
            lab.up(layout)
            _up.append(KvmLab(layout))
            yield _up[0]
        finally:
            _up.clear()
            try:
                lab.down(layout)
            except LabError as trouble:
                pytest.fail(str(trouble))
            layout.root.mkdir(exist_ok=True)  # for TemporaryDirectory to remove
