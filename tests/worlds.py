"""Builders of rows for tests: `c = cluster("c1"); n = node(c, "hv-01"); v = vm("web01", on=n)`."""

from __future__ import annotations

import uuid
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.contrib.auth import get_user_model

from clustermgr.core.states import (
    CandidateState,
    Level,
    NodeState,
    OperationKind,
    OperationState,
    Phase,
    Role,
    VmState,
    VolumeKind,
    Wanted,
)
from clustermgr.models import (
    Candidate,
    Cluster,
    Drift,
    Event,
    Holder,
    Membership,
    Network,
    Node,
    Operation,
    Vm,
    Volume,
    VolumeAccess,
    WatchShard,
)
from clustermgr.ports import clock

ALL_VERBS = ["save", "settings", "guest"]
PASSWORD = "correct horse battery"


def cluster(slug: str = "c1", **values: Any) -> Cluster:
    """A cluster that is being watched."""
    now = clock().now()
    row = Cluster.objects.create(**{"name": slug.upper(), "slug": slug, "created_at": now, **values})
    WatchShard.objects.create(cluster=row, heard_at=now)
    return row


def node(cluster: Cluster, name: str, **values: Any) -> Node:
    """A node that is Up, sees every volume and carries every network that its cluster has by now."""
    now = clock().now()
    row = Node.objects.create(
        **{
            "cluster": cluster,
            "name": name,
            "driver": "lab",
            "address": f"lab:{cluster.slug}/{name}",
            "state": NodeState.UP,
            "state_since": now,
            "observed_at": now,
            "hypervisor": "Simulated KVM 9.0",
            "simulated": True,
            "cpus": 16,
            "memory_mib": 65536,
            "cpu_model": "EPYC",
            "capabilities": ALL_VERBS,
            "networks": ["prod"],
            **values,
        }
    )
    for volume in cluster.volumes.all():
        see(row, volume)
    for network in cluster.networks.all():
        network.nodes.add(row)
    return row


def usual() -> SimpleNamespace:
    """Cluster c1 with two nodes, a volume, VMs in several states, a task, an event and a drift."""
    c1 = cluster("c1")
    one, two = node(c1, "hv-01"), node(c1, "hv-02")
    csv = volume(c1, "csv1")
    network(c1, "prod")
    made = {"c1": c1, "one": one, "two": two, "csv": csv, "web01": vm("web01", on=one, volume=csv)}
    made["off01"] = vm("off01", on=one, volume=csv, state=VmState.OFF)
    made["busy01"] = vm("busy01", on=one, volume=csv)
    made["task"] = operation(made["busy01"], target=two, state=OperationState.QUEUED, phase="queued")
    made["drift"] = drift(made["off01"])
    made["test"] = candidate(c1)
    made["event"] = event(c1, "vm_started", vm=made["web01"], node=one)
    return SimpleNamespace(**made)


def candidate(cluster: Cluster, name: str = "hv-09", **values: Any) -> Candidate:
    """A host whose test came to a good end."""
    now = clock().now()
    return Candidate.objects.create(
        **{
            "cluster": cluster,
            "name": name,
            "driver": "lab",
            "address": f"lab:{name}",
            "state": CandidateState.READY,
            "host_uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
            "facts": {"hostname": name, "hypervisor": "Simulated", "cpus": 4, "memory_mib": 8192, "vms": 2},
            "findings": [{"level": "ok", "what": "It answers.", "advice": ""}],
            "means": "no sign-in",
            "asked_by": "ana",
            "sent_at": now,
            "created_at": now,
            **values,
        }
    )


def see(node: Node, volume: Volume, *, reachable: bool = True, active: bool = True) -> VolumeAccess:
    return VolumeAccess.objects.create(
        volume=volume, node=node, active=active, reachable=reachable, observed_at=clock().now()
    )


def volume(cluster: Cluster, name: str = "csv1", kind: str = VolumeKind.CSV, **values: Any) -> Volume:
    """A volume that every node which exists by now sees."""
    row = Volume.objects.create(
        **{
            "cluster": cluster,
            "name": name,
            "kind": kind,
            "path": f"/clusterstorage/{name}",
            "capacity_bytes": 4 << 40,
            "used_bytes": 1 << 40,
            "observed_at": clock().now(),
            **values,
        }
    )
    for each in cluster.nodes.all():
        see(each, row, active=kind == VolumeKind.CSV or each == row.owner)
    return row


def network(cluster: Cluster, name: str = "prod", **values: Any) -> Network:
    row = Network.objects.create(cluster=cluster, name=name, **values)
    row.nodes.set(cluster.nodes.all())
    return row


def vm(name: str, *, on: Node, holders: list[Node] | None = None, **values: Any) -> Vm:
    """A running VM whose only holder is its owner; `state=VmState.OFF` gives one without a holder."""
    now = clock().now()
    row = Vm.objects.create(
        **{
            "cluster": on.cluster,
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{on.cluster.slug}")),
            "name": name,
            "owner": on,
            "state": VmState.RUNNING,
            "state_since": now,
            "observed_at": now,
            "started_at": now,
            "wanted": Wanted.RUNNING,
            "memory_mib": 4096,
            "vcpus": 2,
            "settings": {"networks": ["prod"]},
            **values,
        }
    )
    dead = row.state in {VmState.OFF, VmState.SAVED, VmState.FAILED}
    for each in holders if holders is not None else ([] if dead else [on]):
        Holder.objects.create(vm=row, node=each, since=now, because="seen running")
    return row


def operation(vm: Vm, kind: str = OperationKind.LIVE_MIGRATION, **values: Any) -> Operation:
    """An operation as a worker would leave it: running by default."""
    now = clock().now()
    return Operation.objects.create(
        **{
            "cluster": vm.cluster,
            "kind": kind,
            "vm": vm,
            "source": vm.owner,
            "state": OperationState.RUNNING,
            "phase": Phase.COPYING,
            "requested_by": "ana",
            "created_at": now,
            "started_at": now,
            **values,
        }
    )


def drift(vm: Vm, fields: list[dict[str, Any]] | None = None, **values: Any) -> Drift:
    now = clock().now()
    return Drift.objects.create(
        **{
            "vm": vm,
            "found_at": now - timedelta(minutes=3),
            "read_at": now,
            "fields": fields
            or [{"field": "memory_mib", "cluster": vm.memory_mib, "host": 8192, "running": vm.memory_mib}],
            "fingerprint": "f" * 64,
            "definition": "",
            **values,
        }
    )


def event(cluster: Cluster, code: str = "note", level: str = Level.INFO, **values: Any) -> Event:
    return Event.objects.create(
        **{"cluster": cluster, "at": clock().now(), "level": level, "code": code, **values}
    )


def user(name: str, role: str | None = None, password: str | None = None) -> Any:
    """An account. Give `password=PASSWORD` only where a test signs in by form: hashing is slow on purpose."""
    row = get_user_model()(username=name)
    if password is None:
        row.set_unusable_password()
    else:
        row.set_password(password)
    row.save()
    if role is not None:
        Membership.objects.create(user=row, role=role)
    return row


def admin() -> Any:
    return user("ana", Role.ADMINISTRATOR)


def operator() -> Any:
    return user("oli", Role.OPERATOR)


def viewer() -> Any:
    return user("vic", Role.VIEWER)


def outsider() -> Any:
    """Signed in, but without a role: may see nothing."""
    return user("otto")
