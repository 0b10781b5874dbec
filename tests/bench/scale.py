"""A cluster of any size on simulated hosts: the hosts' own store first, then the cluster's rows, taken in by
the same code that takes real hosts in."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from clustermgr.drivers.lab.build import NodeSpec, VmSpec, VolumeSpec

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = "SCALE"
SLUG = "scale"
VOLUMES = 8
SIZES_GIB = (1, 2, 2, 4, 4, 4, 8, 16)


def node_name(number: int) -> str:
    return f"node-{number + 1:03d}"


def hosts(nodes: int) -> tuple[NodeSpec, ...]:
    return tuple(NodeSpec(node_name(n), cpus=128, memory_mib=1 << 20) for n in range(nodes))


def volumes() -> tuple[VolumeSpec, ...]:
    return tuple(VolumeSpec(f"csv{n + 1}", capacity_gib=65536, used_gib=9000 + n) for n in range(VOLUMES))


def guests(nodes: int, vms: int) -> tuple[VmSpec, ...]:
    """Nine of ten run; the rest are off or saved. Sizes and loads differ by the VM's number alone."""
    return tuple(
        VmSpec(
            f"vm-{n:05d}",
            on=node_name(n % nodes),
            memory_mib=SIZES_GIB[(n + n // nodes) % len(SIZES_GIB)] * 1024,
            vcpus=1 + n % 4,
            state="running" if n % 10 else ("off", "saved")[n // 10 % 2],
            dirty_mib_s=4.0 + n % 7,
            load_cpu=(n % 11) / 20,
            volume=f"csv{n % VOLUMES + 1}",
            notes=f"Number {n} of {vms}",
            up_s=86400.0 * (1 + n % 90),
        )
        for n in range(vms)
    )


def fill(nodes: int, vms: int, *, pace: float = 0.0) -> None:
    """Fill this process's own installation (settings are loaded). `pace` 0: figures stand still."""
    from clustermgr.actions import clusters
    from clustermgr.drivers.lab import store
    from clustermgr.drivers.lab.world import World
    from clustermgr.jobs import inventory
    from clustermgr.management.commands.demo import SETUP

    world = World(store.default())
    specs = hosts(nodes)
    world.set_speeds(figures_pace=pace, link_mib_s=300.0)
    world.place(specs, volumes(), guests(nodes, vms))
    cluster = clusters.create_cluster(actor=SETUP, name=CLUSTER)
    added = [
        clusters.add_node(
            actor=SETUP,
            cluster=cluster,
            name=spec.name,
            driver="lab",
            address=f"lab:{spec.name}",
            migration_address=f"lab:{spec.name}",
        )
        for spec in specs
    ]
    for sentence in inventory.take_in_all(added):
        raise RuntimeError(sentence)


def seed(var: Path, nodes: int, vms: int) -> None:
    """The same in a folder of its own, by a process of its own."""
    var.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "tests.bench.scale", str(nodes), str(vms)]
    subprocess.run(words, cwd=ROOT, env=environment(var), check=True)


def environment(var: Path) -> dict[str, str]:
    """For processes of an installation in `var`, whatever this one was told."""
    kept = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"}}
    return {**kept, "CLUSTERMGR_VAR": str(var), "DJANGO_SETTINGS_MODULE": "clustermgr.settings"}


def main() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    logging.disable(logging.INFO)  # a line for each of thousands of events says nothing here
    call_command("migrate", interactive=False, verbosity=0)
    fill(int(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
