"""Bringing the lab up and down, and describing it for whoever imports it as a cluster."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from clustermgr.kvmlab import guests, image, network, nodes, preflight
from clustermgr.kvmlab.guests import GUESTS, Guest
from clustermgr.kvmlab.layout import (
    CLUSTER,
    CSV,
    DISK,
    NODES,
    LabError,
    Layout,
    host_uuid,
    migration_address,
    node_folder,
    node_name,
)
from clustermgr.kvmlab.processes import end, recall, run

#: Inside one machine a guest would be moved before anybody saw it move.
BANDWIDTH_MIB_S = 40


def up(layout: Layout) -> list[str]:
    """Start everything, after clearing what an earlier run left. Returns notes for the person who asked."""
    preflight.check()
    layout.root.mkdir(parents=True, exist_ok=True)
    with alone(layout):
        _clear(layout)
        for folder in (CSV, f"{CSV}/console", f"{CSV}/boot", DISK):
            (layout.root / folder).mkdir(parents=True, exist_ok=True)
        network.start_switch(layout)
        notes: list[str] = []
        with ThreadPoolExecutor(len(NODES) + 1) as pool:
            images = pool.submit(_build_images, layout)
            list(pool.map(lambda number: _start_node(layout, number), NODES))
            notes += images.result()
            present = [guest for guest in GUESTS if guest.program or not notes]
            list(pool.map(lambda number: _start_guests(layout, number, present), NODES))
        layout.description.write_text(json.dumps(describe(layout, present), indent=2) + "\n")
    return notes


def down(layout: Layout) -> None:
    """End every process that the lab started and remove its files, except the cache."""
    if not layout.root.exists():
        return
    with alone(layout):
        _clear(layout)
    if layout.root.exists() and not any(layout.root.iterdir()):
        layout.root.rmdir()


@contextmanager
def alone(layout: Layout) -> Iterator[None]:
    """One `up` or `down` at a time; the lock lies on the folder itself, so that it leaves no file."""
    handle = os.open(layout.root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        raise LabError("Another command is starting or stopping this lab.") from held
    else:
        yield
    finally:
        os.close(handle)


def _clear(layout: Layout) -> None:
    for number in NODES:
        nodes.power_off(layout, number)
    end(layout.pid_file("switch"))
    if not layout.root.exists():
        return
    for entry in layout.root.iterdir():
        if entry == layout.cache:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _build_images(layout: Layout) -> list[str]:
    """Disks of all guests. Without network access there are no Linux guests, and the lab says so."""
    made: dict[image.Program, Path] = {}
    notes: list[str] = []
    for guest in GUESTS:
        disk = layout.volume(guest.volume) / f"{guest.name}.qcow2"
        if guest.program is None:
            image.empty_disk(disk)
        elif guest.program in made:
            shutil.copyfile(made[guest.program], disk)
        else:
            image.boot_disk(guest.program, disk)
            made[guest.program] = disk
    try:
        image.linux(layout.cache, layout.volume(CSV) / "boot")
    except LabError as lack:
        notes.append(f"No Linux guests this time: {lack}")
    return notes


def _start_node(layout: Layout, number: int) -> None:
    nodes.power_on(layout, number)
    prepare_node(layout, number)


def prepare_node(layout: Layout, number: int) -> None:
    """Pools and the guests' network. The CSV starts with the host; a cluster disk never does."""
    uri = layout.uri(number)
    for name in (CSV, DISK):
        _define(uri, "pool-define", guests.pool_xml(name))
    _define(uri, "net-define", guests.network_xml(network.GUEST_BRIDGE))
    commands = [f"pool-start {CSV}", f"pool-autostart {CSV}", "net-start lan", "net-autostart lan"]
    if number == NODES[0]:
        commands.append(f"pool-start {DISK}")
    for command in commands:
        virsh(uri, *command.split())


def _start_guests(layout: Layout, number: int, present: list[Guest]) -> None:
    for guest in present:
        if guest.node == number:
            _define(layout.uri(number), "define", guests.domain_xml(guest))
            if guest.running:
                virsh(layout.uri(number), "start", guest.name)


def virsh(uri: str, *command: str) -> str:
    return run("virsh", "-q", "-c", uri, *command)


def _define(uri: str, command: str, xml: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(xml)
        file.flush()
        virsh(uri, command, file.name)


def describe(layout: Layout, present: list[Guest]) -> dict[str, object]:
    """The lab as `cluster.json`: what an import needs, and what a test wants to know."""
    return {
        "cluster": CLUSTER,
        "allow_unsafe_migration": True,  # a shared folder of one machine, which libvirt cannot know
        "migration_bandwidth_mib_s": BANDWIDTH_MIB_S,
        "nodes": [
            {
                "name": node_name(number),
                "driver": "libvirt",
                "address": layout.uri(number),
                "migration_address": migration_address(number),
                "host_uuid": host_uuid(number),
            }
            for number in NODES
        ],
        "volumes": [
            {"name": CSV, "kind": "csv", "path": node_folder(CSV)},
            {"name": DISK, "kind": "disk", "path": node_folder(DISK)},
        ],
        "vms": [
            {
                "name": guest.name,
                "uuid": guest.uuid,
                "node": node_name(guest.node),
                "volume": guest.volume,
                "running": guest.running,
                "agent": guest.program is None,
            }
            for guest in present
        ],
    }


def status(layout: Layout) -> list[str]:
    if recall(layout.pid_file("switch")) is None:
        return ["The lab is down."]
    lines = []
    for number in NODES:
        on = nodes.is_on(layout, number)
        lines.append(f"{node_name(number)}  {'on' if on else 'off'}  {layout.uri(number)}")
        if on:
            try:
                listed = virsh(layout.uri(number), "list", "--all").splitlines()
            except LabError:
                listed = ["libvirt does not answer"]
            lines += [f"    {line.strip()}" for line in listed if line.strip()]
    return lines
