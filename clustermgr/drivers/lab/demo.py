"""The demonstration's hosts: a cluster that looks like somebody's, and a small second one.

Only hosts and what runs on them. What a cluster decides about its VMs (priority, preferred owners, offline
action) is told as hints; the cluster's own rows are made by asking the driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clustermgr.drivers.lab.build import CPU_FEATURES, CPU_MODEL, NodeSpec, VmSpec, VolumeSpec
from clustermgr.drivers.lab.store import Store
from clustermgr.drivers.lab.world import Now, World

_DAY_S = 86400.0
_OLDER = tuple(feature for feature in CPU_FEATURES if feature != "avx512f")
_NETWORKS = ("Production", "DMZ", "Backup", "Management")
_GIB = 1024


@dataclass(frozen=True, slots=True)
class Cluster:
    """Plain description of one seeded cluster; addresses are `lab:<node>`."""

    name: str
    nodes: tuple[NodeSpec, ...]
    volumes: tuple[VolumeSpec, ...]
    vms: tuple[VmSpec, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(f"lab:{node.name}" for node in self.nodes)


def _vm(
    name: str, on: str, gib: float, vcpus: int, dirty: float, load: float, notes: str, **more: Any
) -> VmSpec:
    days = 3 + sum(map(ord, name)) % 60
    return VmSpec(
        name,
        on,
        memory_mib=int(gib * _GIB),
        vcpus=vcpus,
        dirty_mib_s=dirty,
        load_cpu=load,
        notes=notes,
        up_s=days * _DAY_S + sum(map(ord, notes)) % 80000,
        **{"networks": ("Production",), **more},
    )


_DMZ, _BACKUP = ("DMZ",), ("Production", "Backup")

MAIN = Cluster(
    name="PROD-CL1",
    nodes=(
        NodeSpec("hv-01", cpus=32, memory_mib=128 * _GIB, networks=_NETWORKS),
        NodeSpec("hv-02", cpus=32, memory_mib=128 * _GIB, networks=_NETWORKS),
        NodeSpec("hv-03", cpus=32, memory_mib=96 * _GIB, networks=_NETWORKS),
        NodeSpec(
            "hv-04",
            cpus=24,
            memory_mib=64 * _GIB,
            cpu_model=CPU_MODEL.replace("v3", "v2"),
            cpu_features=_OLDER,
            networks=_NETWORKS,
        ),
    ),
    volumes=(
        VolumeSpec("csv1", capacity_gib=4096, used_gib=2310, file_system="GFS2"),
        VolumeSpec("csv2", capacity_gib=8192, used_gib=3120, file_system="NFS"),
        VolumeSpec("disk1", kind="disk", owner="hv-02", capacity_gib=1024, used_gib=410, file_system="XFS"),
    ),
    vms=(
        _vm("dc01", "hv-01", 4, 2, 4, 0.1, "Domain controller, holds all FSMO roles", firmware="uefi"),
        _vm("dc02", "hv-03", 4, 2, 4, 0.1, "Domain controller", firmware="uefi"),
        _vm(
            "sql01",
            "hv-01",
            16,
            8,
            110,
            2.6,
            "ERP database. Patch window: Sunday 02:00",
            volume="csv2",
            disk_gib=500,
            networks=_BACKUP,
        ),
        _vm(
            "sql02",
            "hv-02",
            16,
            8,
            70,
            1.2,
            "ERP database, readable secondary",
            volume="csv2",
            disk_gib=500,
            networks=_BACKUP,
        ),
        _vm("erp01", "hv-02", 8, 4, 40, 1.4, "ERP application server"),
        _vm(
            "fs01",
            "hv-01",
            6,
            2,
            12,
            0.4,
            "Department shares",
            volume="csv2",
            disk_gib=1500,
            networks=_BACKUP,
        ),
        _vm("print01", "hv-04", 2, 1, 2, 0.05, "Print queues, second floor"),
        _vm("web01", "hv-01", 4, 2, 24, 0.7, "Public web, behind lb01", networks=_DMZ),
        _vm("web02", "hv-02", 4, 2, 24, 0.7, "Public web, behind lb01", networks=_DMZ),
        _vm("web03", "hv-03", 4, 2, 22, 0.6, "Public web, behind lb01", networks=_DMZ),
        _vm("lb01", "hv-03", 1, 2, 6, 0.5, "Load balancer, active", networks=("DMZ", "Production")),
        _vm("lb02", "hv-04", 1, 2, 2, 0.05, "Load balancer, standby", networks=("DMZ", "Production")),
        _vm(
            "mail01",
            "hv-03",
            12,
            4,
            45,
            0.9,
            "Mail, 240 boxes",
            volume="csv2",
            disk_gib=800,
            networks=_BACKUP,
        ),
        _vm("mx01", "hv-04", 2, 2, 8, 0.2, "Mail relay and spam filter", networks=_DMZ),
        _vm("wiki01", "hv-04", 2, 2, 6, 0.15, "Wiki and handbook"),
        _vm("git01", "hv-02", 6, 4, 18, 0.5, "Source code", networks=_BACKUP),
        _vm("build01", "hv-02", 8, 8, 160, 5.2, "Build agent. May be lost at any time"),
        _vm("build02", "hv-03", 8, 8, 140, 4.1, "Build agent. May be lost at any time"),
        _vm("build03", "hv-03", 8, 8, 0, 0.0, "Build agent, spare", state="off"),
        _vm("mon01", "hv-01", 4, 2, 30, 0.6, "Monitoring and alerting"),
        _vm("log01", "hv-03", 8, 4, 85, 1.1, "Log collector, 90 days", volume="csv2", disk_gib=1200),
        _vm(
            "bkp01",
            "hv-02",
            4,
            4,
            35,
            0.3,
            "Backup server. Keep apart from fs01",
            networks=("Backup", "Management"),
        ),
        _vm("vpn01", "hv-01", 2, 2, 5, 0.3, "Remote access", networks=("DMZ", "Production")),
        _vm("tel01", "hv-04", 3, 2, 10, 0.2, "Telephone exchange. Call reception before any move"),
        _vm("hr01", "hv-04", 4, 2, 7, 0.1, "Time sheets and payroll. Payroll run on the 25th"),
        _vm("ml01", "hv-01", 12, 8, 90, 3.0, "Forecasting. Needs AVX-512", cpu_features=("avx512f",)),
        _vm("cad-lic", "hv-02", 2, 1, 1, 0.02, "Licence server; dongle is on the network", volume="disk1"),
        _vm("cad-vault", "hv-02", 6, 2, 15, 0.3, "Drawings vault", volume="disk1", disk_gib=300),
        _vm("test-erp", "hv-03", 8, 4, 0, 0.0, "Copy of the ERP for the upgrade in spring", state="saved"),
        _vm("test-web", "hv-01", 2, 2, 0, 0.0, "Staging web", state="off", networks=_DMZ),
        _vm(
            "legacy-crm",
            "hv-04",
            2,
            1,
            3,
            0.0,
            "Old CRM, kept for the auditors. Paused until asked for",
            state="paused",
        ),
        _vm("tmpl-deb12", "hv-02", 2, 2, 0, 0.0, "Template; do not start", state="off"),
    ),
)

SECOND = Cluster(
    name="BRANCH-CL2",
    nodes=(
        NodeSpec("br-01", cpus=16, memory_mib=48 * _GIB),
        NodeSpec("br-02", cpus=16, memory_mib=48 * _GIB),
    ),
    volumes=(
        VolumeSpec(
            "branch-csv", capacity_gib=2048, used_gib=640, file_system="OCFS2", path="/clusterstorage/branch"
        ),
    ),
    vms=(
        _vm("br-dc01", "br-01", 4, 2, 4, 0.1, "Domain controller of the branch", volume="branch-csv"),
        _vm("br-fs01", "br-02", 4, 2, 12, 0.3, "Shares of the branch", volume="branch-csv", disk_gib=600),
        _vm(
            "br-pos01",
            "br-01",
            8,
            4,
            30,
            0.9,
            "Till back end. Not while the shop is open",
            volume="branch-csv",
        ),
        _vm("br-cam01", "br-02", 6, 4, 60, 1.6, "Camera recorder", volume="branch-csv", disk_gib=900),
    ),
)

#: What an administrator would have set for these VMs; names not listed keep the defaults.
HINTS: dict[str, dict[str, Any]] = {
    "dc01": {"priority": "high", "offline_action": "shut_down", "preferred_owners": ["hv-01", "hv-02"]},
    "dc02": {"priority": "high", "offline_action": "shut_down", "preferred_owners": ["hv-03", "hv-04"]},
    "sql01": {"priority": "high", "offline_action": "shut_down", "preferred_owners": ["hv-01", "hv-02"]},
    "sql02": {"priority": "high", "offline_action": "shut_down", "preferred_owners": ["hv-02", "hv-01"]},
    "erp01": {"priority": "high", "offline_action": "save", "preferred_owners": ["hv-02"]},
    "lb01": {"priority": "high", "offline_action": "save", "preferred_owners": []},
    "vpn01": {"priority": "high", "offline_action": "save", "preferred_owners": []},
    "tel01": {"priority": "high", "offline_action": "shut_down", "preferred_owners": ["hv-04"]},
    "mail01": {"priority": "medium", "offline_action": "shut_down", "preferred_owners": ["hv-03"]},
    "build01": {"priority": "low", "offline_action": "turn_off", "preferred_owners": []},
    "build02": {"priority": "low", "offline_action": "turn_off", "preferred_owners": []},
    "build03": {"priority": "low", "offline_action": "turn_off", "preferred_owners": []},
    "ml01": {"priority": "low", "offline_action": "save", "preferred_owners": ["hv-01", "hv-02", "hv-03"]},
    "log01": {"priority": "low", "offline_action": "shut_down_forced", "preferred_owners": []},
    "test-erp": {"priority": "low", "offline_action": "save", "preferred_owners": []},
    "test-web": {"priority": "low", "offline_action": "save", "preferred_owners": []},
    "tmpl-deb12": {"priority": "no_auto_start", "offline_action": "save", "preferred_owners": []},
    "legacy-crm": {"priority": "no_auto_start", "offline_action": "save", "preferred_owners": []},
    "br-pos01": {"priority": "high", "offline_action": "shut_down", "preferred_owners": ["br-01"]},
    "br-dc01": {"priority": "high", "offline_action": "shut_down", "preferred_owners": []},
}

#: Slower than the scenarios' speeds where that is nicer to watch: 4 GB move in about 15 s.
SPEEDS = {"link_mib_s": 300.0, "disk_mib_s": 400.0, "node_boot_s": 20.0, "stop_s": 6.0}


def seed(store: Store, clock: Now | None = None) -> Cluster:
    """Fill an empty store with the demonstration's hosts; a store that has hosts is left as it is."""
    return _fill(store, MAIN, clock)


def seed_second(store: Store, clock: Now | None = None) -> Cluster:
    """Add the hosts of the second, small cluster; once."""
    return _fill(store, SECOND, clock)


def seed_small(store: Store, *, nodes: int = 3, vms: int = 6, clock: Now | None = None) -> Cluster:
    """A plain cluster for tests: nodes n1.., running VMs vm-01.. spread over them on csv1, default speeds."""
    hosts = tuple(NodeSpec(f"n{number}") for number in range(1, nodes + 1))
    guests = tuple(
        VmSpec(f"vm-{number:02d}", on=hosts[(number - 1) % nodes].name) for number in range(1, vms + 1)
    )
    return _fill(store, Cluster("TEST", hosts, (VolumeSpec("csv1"),), guests), clock, speeds={})


def _fill(
    store: Store, cluster: Cluster, clock: Now | None, *, speeds: dict[str, float] | None = None
) -> Cluster:
    world = World(store, clock)
    with world.write() as tx:
        if tx.find_host(cluster.nodes[0].name) is None:
            world.set_speeds(**(SPEEDS if speeds is None else speeds))
            world.place(cluster.nodes, cluster.volumes, cluster.vms)
    return cluster
