"""The reasons against: why a host cannot become a node, why a node or a role cannot leave. For actions and
dialogs."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from clustermgr.core.findings import Finding, field_finding, finding
from clustermgr.core.health import SILENT_STATES
from clustermgr.core.states import ACTIVE, VolumeKind
from clustermgr.core.words import KINDS, state_word
from clustermgr.models import Cluster, Holder, Node, Operation, Vm, Volume, VolumeAccess

SHOWN = 5


def taken(
    cluster: Cluster,
    *,
    name: str,
    driver: str,
    address: str,
    host_uuid: str = "",
    besides: Node | None = None,
) -> list[Finding]:
    """Why no node can have this name, this address, or be this host. `besides`: a node that may."""
    others = Node.objects.select_related("cluster").exclude(pk=besides.pk if besides else None)
    found = []
    if others.filter(cluster=cluster, name__iexact=name).exists():
        text = f"{cluster} has a node called “{name}” already. Choose another name."
        found.append(field_finding("name", text))
    if (there := others.filter(driver=driver, address=address).first()) is not None:
        text = f"The host {address} is already the node {there.name} of {there.cluster}."
        found.append(field_finding("address", text))
    elif host_uuid and (same := others.filter(host_uuid=host_uuid).first()) is not None:
        found.append(
            finding("host_is_node", address=address, node=same.name, cluster=same.cluster, known=same.address)
        )
    return found


def in_the_way(node: Node) -> list[Finding]:
    """Why a node cannot be evicted now: roles, possible copies, tasks and disks, each by name."""
    name = node.name
    roles = Vm.objects.filter(owner=node).order_by("name").values_list("name", flat=True)
    held = Holder.objects.filter(node=node).exclude(vm__owner=node).order_by("vm__name")
    found = []
    if roles:
        code = "lost_node_owns_roles" if node.state in SILENT_STATES else "node_owns_roles"
        state = state_word(node.state)
        found.append(finding(code, node=name, count=len(roles), roles=some(roles), state=state))
    if copies := held.values_list("vm__name", flat=True):
        state = state_word(node.state)
        found.append(finding("node_may_hold", node=name, roles=some(copies), state=state))
    found += [
        finding("node_in_task", node=name, what=KINDS[task.kind], vm=task.vm.name, who=task.requested_by)
        for task in tasks_of(node)[:SHOWN]
    ]
    found += [finding("node_owns_disk", node=name, volume=disk.name) for disk in disks_of(node)]
    return found


def keeps_role(vm: Vm) -> list[Finding]:
    """Why a role cannot be removed from the cluster now."""
    found = []
    if (task := held_by(vm)) is not None:
        found.append(finding("vm_busy", vm=vm.name, what=KINDS[task.kind].lower(), who=task.requested_by))
    if saved_memory(vm) and vm.owner.state not in SILENT_STATES:
        found.append(finding("saved_in_cluster", vm=vm.name, file=vm.saved_file))
    return found


def held_by(vm: Vm) -> Operation | None:
    """The order that holds a role."""
    return Operation.objects.filter(vm=vm, state__in=ACTIVE).first()


def possible_nodes(vm: Vm) -> list[Node]:
    """Its owner, and every other node that may have a process of it."""
    return sorted({vm.owner, *Node.objects.filter(held__vm=vm)}, key=lambda node: node.pk)


def saved_memory(vm: Vm) -> bool:
    """Whether its memory lies in a file that the cluster may restore."""
    return bool(vm.saved_file) and not vm.saved_spent


def tasks_of(node: Node) -> QuerySet[Operation]:
    """What is under way from, to or with this node."""
    active = Operation.objects.filter(state__in=ACTIVE).select_related("vm")
    return (active.filter(source=node) | active.filter(target=node)).order_by("pk")


def disks_of(node: Node) -> list[Volume]:
    """Cluster disks that are online here and that others use, too, or on which roles lie. A pool that this
    host alone knows goes with it."""
    active = VolumeAccess.objects.filter(node=node, active=True).values("volume")
    owned = Volume.objects.filter(owner=node, kind=VolumeKind.DISK, pk__in=active).order_by("name")
    return [disk for disk in owned if disk.vms.exists() or disk.access.exclude(node=node).exists()]


def some(names: Sequence[str]) -> str:
    """ "web01, web02 and 3 more"."""
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
