"""The lab's switch: a namespace with a bridge, one cable to each node. It reaches nothing else."""

from __future__ import annotations

import os
from contextlib import suppress

from clustermgr.kvmlab.layout import SUBNET, LabError, Layout, node_address
from clustermgr.kvmlab.processes import recall, remember, run, spawn, started_at, wait_until

GUEST_BRIDGE = "br0"


def in_namespace(pid: int, *command: str) -> str:
    return run("nsenter", "-t", str(pid), "-n", *command)


def switch_pid(layout: Layout) -> int:
    pid = recall(layout.pid_file("switch"))
    if pid is None:
        raise LabError("The lab is not running; start it with: python -m clustermgr.kvmlab up")
    return pid


def start_switch(layout: Layout) -> None:
    """A sleeping process holds the namespace, so that nothing is left when it ends."""
    pid = spawn(["unshare", "-n", "sleep", "infinity"], layout.root / "switch.log")
    remember(layout.pid_file("switch"), pid)
    wait_until(lambda: started_at(pid) and _apart(pid), 5, "the switch gets no namespace")
    in_namespace(pid, "ip", "link", "set", "lo", "up")
    in_namespace(pid, "ip", "link", "add", "sw0", "type", "bridge")
    in_namespace(pid, "ip", "link", "set", "sw0", "up")
    in_namespace(pid, "ip", "addr", "add", f"{SUBNET}.1/24", "dev", "sw0")


def _apart(pid: int) -> bool:
    return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")


def plug_in(layout: Layout, number: int, node_pid: int) -> None:
    """Cable from the switch into the node, where a bridge carries the node's address and its guests."""
    switch, port = switch_pid(layout), f"p{number}"
    uplink = ("peer", "name", "up0", "netns", str(node_pid))
    in_namespace(switch, "ip", "link", "add", port, "type", "veth", *uplink)
    in_namespace(switch, "ip", "link", "set", port, "master", "sw0", "up")
    for words in (
        ("link", "set", "lo", "up"),
        # The same after each power-on, as a machine's is: its peers remember it for half a minute.
        ("link", "add", GUEST_BRIDGE, "address", f"52:54:00:77:01:{number:02x}", "type", "bridge"),
        ("link", "set", "up0", "master", GUEST_BRIDGE, "up"),
        ("link", "set", GUEST_BRIDGE, "up"),
        ("addr", "add", f"{node_address(number)}/24", "dev", GUEST_BRIDGE),
    ):
        in_namespace(node_pid, "ip", *words)


def set_link(layout: Layout, number: int, state: str) -> None:
    """`up` or `down`: the node's cable, as pulled at the switch."""
    in_namespace(switch_pid(layout), "ip", "link", "set", f"p{number}", state)


def cut(layout: Layout, number: int) -> None:
    """As `set_link` down; nothing when there is no such cable any more."""
    if recall(layout.pid_file("switch")) is not None:
        with suppress(LabError):
            set_link(layout, number, "down")


def unplug(layout: Layout, number: int) -> None:
    """Remove the cable, which the kernel else does at some later moment."""
    pid = recall(layout.pid_file("switch"))
    if pid is not None:
        with suppress(LabError):
            in_namespace(pid, "ip", "link", "del", f"p{number}")
