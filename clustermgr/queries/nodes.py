"""Nodes in a list and in detail, volumes and networks as matrices of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from clustermgr.core.states import NodeState, VolumeKind
from clustermgr.models import Cluster, Event, Network, Node, Slot, Vm, Volume, VolumeAccess
from clustermgr.queries.ages import UNKNOWN, heard_at, seen
from clustermgr.queries.hosts import Access, access
from clustermgr.queries.rows import NodeRow, VmRow, listed_nodes, node_rows_of, nodes, told, vm_rows_of, vms

PAGE = 100


def node_list(cluster: Cluster) -> list[NodeRow]:
    return node_rows_of(listed_nodes().filter(cluster=cluster)[:PAGE])


@dataclass(frozen=True, slots=True)
class NodeDetail:
    node: NodeRow
    address: str
    cpu_model: str
    features: int
    capabilities: list[str]
    networks: list[str]
    roles: list[VmRow]
    volumes: list[NodeVolume]
    events: list[Event]
    slots_used: int
    slots: int
    migration_address: str
    access: Access


def node_detail(cluster: Cluster, pk: int) -> NodeDetail | None:
    row = nodes().select_related("access").filter(cluster=cluster, pk=pk).first()
    if row is None:
        return None
    return NodeDetail(
        node=node_rows_of([row])[0],
        address=row.address,
        cpu_model=row.cpu_model,
        features=len(row.cpu_features),
        capabilities=sorted(row.capabilities),
        networks=sorted(row.networks),
        roles=vm_rows_of(vms().filter(owner=row).order_by("name")[:PAGE]),
        volumes=_volumes(row),
        events=list(told().filter(node=row)[:10]),
        slots_used=Slot.objects.filter(node=row).count(),
        slots=cluster.live_migrations_per_node,
        migration_address=row.migration_address,
        access=access(row),
    )


def _volumes(node: Node) -> list[NodeVolume]:
    access = VolumeAccess.objects.filter(node=node).select_related("volume").order_by("volume__name")
    return [
        NodeVolume(each.volume.name, each.volume.kind, _cell(each.volume, node, each), each.observed_at)
        for each in access
    ]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one node has of one volume or network: a state key, a word, and which node."""

    node: str
    ok: bool | None
    word: str


@dataclass(frozen=True, slots=True)
class NodeVolume:
    """A volume on its node's own page."""

    name: str
    kind: str
    cell: Cell
    since: datetime


@dataclass(frozen=True, slots=True)
class VolumeRow:
    id: int
    name: str
    kind: str
    path: str
    file_system: str
    owner: str
    capacity_bytes: int
    used_bytes: int
    roles: int
    cells: list[Cell]
    declared: bool = False

    @property
    def percent(self) -> float:
        return 100.0 * self.used_bytes / self.capacity_bytes if self.capacity_bytes else 0.0

    @property
    def tone(self) -> str:
        return "err" if self.percent >= 95 else "warn" if self.percent >= 80 else "ok"

    @property
    def blind(self) -> int:
        return sum(cell.ok is False for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows by nodes. `nodes`: the names of the columns."""

    nodes: list[str]
    rows: list[Any]


def storage(cluster: Cluster) -> Matrix:
    columns = _columns(cluster)
    roles = Vm.objects.filter(volume=OuterRef("pk")).order_by().values("volume").annotate(n=Count("pk"))
    found = Volume.objects.filter(cluster=cluster).select_related("owner")
    found = found.annotate(roles=Coalesce(Subquery(roles.values("n")), 0))
    access: dict[tuple[int, int], VolumeAccess] = {
        (each.volume_id, each.node_id): each for each in VolumeAccess.objects.filter(volume__cluster=cluster)
    }
    rows = [
        VolumeRow(
            id=volume.pk,
            name=volume.name,
            kind=volume.kind,
            path=volume.path,
            file_system=volume.file_system,
            owner=volume.owner.name if volume.owner else "",
            capacity_bytes=volume.capacity_bytes,
            used_bytes=volume.used_bytes,
            roles=volume.roles,
            cells=[_cell(volume, node, access.get((volume.pk, node.pk))) for node in columns],
            declared=volume.declared,
        )
        for volume in found.order_by("name")[:PAGE]
    ]
    return Matrix([node.name for node in columns], rows)


def _columns(cluster: Cluster) -> list[Node]:
    found = Node.objects.filter(cluster=cluster).select_related("cluster__watch").order_by("name")
    return list(found.only("name", "state", "observed_at", "cluster__watch__heard_at")[:64])


def _unseen(node: Node) -> bool:
    """What a node reaches that does not answer, or at which nobody looks, nobody knows."""
    return node.state != NodeState.UP or seen(node, heard_at(node.cluster))[1] == UNKNOWN


def _cell(volume: Volume, node: Node, access: VolumeAccess | None) -> Cell:
    if _unseen(node):
        return Cell(node.name, None, "Unknown")
    if access is None:
        return Cell(node.name, None, "Not seen yet")
    if access.reachable and access.active:
        return Cell(node.name, True, "Direct" if volume.kind == VolumeKind.CSV else "Online")
    if volume.kind == VolumeKind.DISK and volume.owner_id != node.pk:
        # Online on its owner alone, as it should be; libvirt does not look at a pool that is not active.
        return Cell(node.name, None, "Standby" if access.reachable else "Not online here")
    return Cell(node.name, False, "Inactive" if access.reachable else "No access")


@dataclass(frozen=True, slots=True)
class NetworkRow:
    name: str
    use: str
    cells: list[Cell]

    @property
    def missing(self) -> int:
        return sum(cell.ok is False for cell in self.cells)

    @property
    def unseen(self) -> int:
        return sum(cell.ok is None for cell in self.cells)


def networks(cluster: Cluster) -> Matrix:
    columns = _columns(cluster)
    rows = []
    for network in Network.objects.filter(cluster=cluster).prefetch_related("nodes").order_by("name")[:PAGE]:
        carried = {node.pk for node in network.nodes.all()}
        cells = [
            Cell(node.name, None, "Unknown")
            if _unseen(node)
            else Cell(node.name, node.pk in carried, "Connected" if node.pk in carried else "Not carried")
            for node in columns
        ]
        rows.append(NetworkRow(network.name, network.use, cells))
    return Matrix([node.name for node in columns], rows)
