"""One object by what a program or a person calls it: an id, `@name`, or a name that is no number."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.db.models import QuerySet

from clustermgr.core.findings import Finding, finding
from clustermgr.core.states import OperationKind
from clustermgr.errors import ActionRefused
from clustermgr.models import ApiToken, Cluster, Drift, Node, Operation, Vm, Volume

LONGEST_ID = 15  # digits; more of them fit no column


def cluster(ref: str) -> Cluster:
    """By its slug or its name, with its watch."""
    found = Cluster.objects.select_related("watch", "claim")
    name = ref.removeprefix("@")
    row = found.filter(slug=name).first() or found.filter(name__iexact=name).first()
    return row or _missing(finding("unknown_cluster", cluster=name))


def vm(cluster: Cluster, ref: str, *, status: int = 404) -> Vm:
    rows = Vm.objects.select_related("cluster", "owner", "volume").filter(cluster=cluster)
    return _one(rows, ref) or _missing(finding("unknown_vm", vm=ref, cluster=cluster.name), status)


def node(cluster: Cluster, ref: str, *, status: int = 404) -> Node:
    rows = Node.objects.filter(cluster=cluster)
    return _one(rows, ref) or _missing(finding("unknown_node", node=ref, cluster=cluster.name), status)


def meant(words: Mapping[str, Any]) -> Cluster | Node | Vm | Operation | None:
    """What the words of an address name, as far as it exists: the cluster at least, if there is one."""
    found: Cluster | Node | Vm | Operation | None = None
    if any(ord(char) < 32 for word in words.values() for char in str(word)):
        return None  # it names nothing, and PostgreSQL would not even look
    with suppress(ActionRefused):
        found = here = cluster(str(words.get("cluster", "")))
        if "vm" in words:
            found = vm(here, str(words["vm"]))
        elif "node" in words:
            found = node(here, str(words["node"]))
        elif (number := str(words.get("operation", ""))).isdecimal() and len(number) <= LONGEST_ID:
            found = operation(here, int(number))
    return found


def no_role(cluster: Cluster, pk: int) -> Finding:
    """Why no role has this id: it was removed from the cluster, or there never was one."""
    removals = Operation.objects.filter(cluster=cluster, kind=OperationKind.REMOVAL, vm=None)
    row = removals.filter(params__role=pk).order_by("-id").first()
    if row is None:
        return finding("unknown_vm", vm=pk, cluster=cluster.name)
    return finding("role_removed", vm=row.gone_vm, cluster=cluster.name, who=row.requested_by)


def volume(cluster: Cluster, ref: str) -> Volume:
    rows = Volume.objects.filter(cluster=cluster)
    return _one(rows, ref) or _missing(finding("unknown_volume", volume=ref, cluster=cluster.name))


def operation(cluster: Cluster, pk: int) -> Operation:
    rows = Operation.objects.select_related("cluster", "vm", "source", "target")
    row = rows.filter(cluster=cluster, pk=pk).first()
    return row or _missing(finding("unknown_operation", operation=pk, cluster=cluster.name))


def token(rows: QuerySet[ApiToken], pk: int) -> ApiToken:
    return rows.filter(pk=pk).first() or _missing(finding("unknown_token", token=pk))


def drift(vm: Vm) -> Drift | None:
    return Drift.objects.filter(vm=vm).first()


def _one(rows: QuerySet[Any], ref: str) -> Any:
    if ref.isascii() and ref.isdigit():
        return rows.filter(pk=int(ref)).first() if len(ref) <= LONGEST_ID else None
    return rows.filter(name__iexact=ref.removeprefix("@")).first()


def _missing(found: Finding, status: int = 404) -> Any:
    raise ActionRefused(found, status=status)
