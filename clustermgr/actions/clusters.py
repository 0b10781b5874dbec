"""Creating clusters, adding hosts as nodes, and taking the VMs found there in as roles.

Calls no host: what is known of one arrives as an Inventory that a job read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.text import slugify

from clustermgr.access import CLUSTER, Actor
from clustermgr.actions import seen_hosts, standing
from clustermgr.actions._ledger import Change, audit, change
from clustermgr.actions.rights import require
from clustermgr.actions.volumes import of_disks
from clustermgr.core import names
from clustermgr.core.drift import pending
from clustermgr.core.findings import field_finding, finding
from clustermgr.core.readings import Config, Inventory, Seen
from clustermgr.core.states import Level, NodeState, OfflineAction, Priority, Wanted
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster, Holder, Node, Vm, Volume, WatchShard
from clustermgr.ports import clock
from clustermgr.secrets import seal

#: What is known of VMs beyond their definitions: {"web01": {"priority": "high", "possible_owners": ["n1"]}}
Hints = Mapping[str, Mapping[str, Any]]
LONGEST_NAME = 60
AGREED = ("name", "memory_mib", "vcpus", "notes")  # settings with a column of their own


def create_cluster(*, actor: Actor, name: str, slug: str = "", **values: Any) -> Cluster:
    """An empty cluster that is watched from now on. `values`: columns such as allow_unsafe_migration.

    Raises ActionRefused: 403, 422.
    """
    require(actor, "create_cluster")
    name = names.tidy(name)
    slug = slug or slugify(name)[:50]
    try:
        with transaction.atomic():
            if found := _wrong(name, slug):
                raise IntegrityError
            cluster = Cluster.objects.create(name=name, slug=slug, created_at=clock().now(), **values)
            WatchShard.objects.create(cluster=cluster)
            audit(actor, cluster_id=cluster.pk, verb="create_cluster", subject=name, accepted=True)
    except IntegrityError:
        found = found or _wrong(name, slug)
        subject = names.seen_part(name)
        audit(actor, cluster_id=None, verb="create_cluster", subject=subject, accepted=False, answer=found)
        raise ActionRefused(field_finding("name", found), status=422) from None
    with change(cluster.pk) as tx:
        tx.event("cluster_created", actor=actor.name, cluster=name)
    return cluster


def _wrong(name: str, slug: str) -> str:
    """The rule that a new cluster's name breaks, or nothing."""
    if wrong := names.trouble(name, "A cluster's", LONGEST_NAME):
        return wrong
    if not slug:
        return "A cluster's name has a letter a–z or a digit in it, for its address. Add one."
    if Cluster.objects.filter(Q(name__iexact=name) | Q(slug=slug)).exists():
        return f"There is a cluster called “{name}” already. Choose another name."
    return ""


def add_node(
    *, actor: Actor, cluster: Cluster, name: str, driver: str, address: str, migration_address: str = ""
) -> Node:
    """A host as a node: Joining until it was read. A host belongs to one cluster only."""
    require(actor, "change_settings", cluster)
    if wrong := names.trouble_of_node(name):
        raise ActionRefused(field_finding("name", wrong), status=422)
    taken = Node.objects.filter(driver=driver, address=address).select_related("cluster").first()
    if taken is not None:
        message = f"The host {address} is already the node {taken.name} of {taken.cluster}."
        raise ActionRefused(field_finding("address", message), status=422)
    if cluster.nodes.filter(name__iexact=name).exists():
        message = f"{cluster} has a node called “{name}” already. Choose another name."
        raise ActionRefused(field_finding("name", message), status=422)
    with change(cluster.pk) as tx:
        node = Node.objects.create(
            cluster=cluster,
            name=name,
            driver=driver,
            address=address,
            migration_address=migration_address,
            state=NodeState.JOINING,
            state_since=tx.now,
        )
        tx.event("node_added", node=node, actor=actor.name)
        tx.touch(node, "nodes")
        audit(actor, cluster_id=cluster.pk, verb="add_node", subject=name, accepted=True, address=address)
    return node


def join(*, node: Node, inventory: Inventory, hints: Hints | None = None, actor: Actor = CLUSTER) -> list[Vm]:
    """Take a host in as it was just read, in a transaction of its own. Then it is Up.

    Raises ActionRefused when another manager's stamp is on machines there: none is adopted. When one of them
    is a VM of this cluster, the cluster stands down.
    """
    if theirs := standing.theirs(node.cluster_id, inventory.configs):
        known = set(Vm.objects.filter(cluster=node.cluster_id).values_list("uuid", flat=True))
        both = standing.theirs(node.cluster_id, [found for found in inventory.configs if found.uuid in known])
        with change(node.cluster_id) as tx:
            standing.kept_out(tx, node, theirs)
            if both:
                standing.rivals_seen(tx, [(f"{name} on {node.name}", it) for name, it in both], ours=True)
        vms = standing.named([name for name, _ in theirs])
        raise ActionRefused(finding("foreign_host", node=node.name, vms=vms, cluster=node.cluster.name))
    with change(node.cluster_id) as tx:
        node.refresh_from_db()
        added = take_in(tx, node, inventory, hints or {}, actor)
        if node.state != NodeState.UP:
            seen_hosts.node_state(tx, node, NodeState.UP)
        Node.objects.filter(pk=node.pk).update(observed_at=tx.now)
    return added


def take_in(tx: Change, node: Node, inventory: Inventory, hints: Hints, actor: Actor) -> list[Vm]:
    """Facts, volumes and networks of a host, and its VMs as roles where they are none yet."""
    seen_hosts.facts(tx, node, inventory.facts)
    seen_hosts.volumes(tx, node, inventory.volumes)
    rows = list(Vm.objects.filter(cluster=node.cluster_id).values_list("uuid", "name"))
    known, names = {uuid for uuid, _ in rows}, {name.lower() for _, name in rows}
    added = []
    for config in inventory.configs:
        seen = inventory.look.seen[config.uuid]
        name = str(config.saved["name"])
        if config.uuid in known or seen.incoming:
            continue
        if name.lower() in names:
            tx.event("vm_not_added", level=Level.WARNING, node=node, name=name)
            continue
        names.add(name.lower())
        added.append(_adopt(tx, node, seen, config, hints.get(name, {}), actor))
    return added


def _adopt(tx: Change, node: Node, seen: Seen, config: Config, hint: Mapping[str, Any], actor: Actor) -> Vm:
    agreed = config.saved
    wanted = Wanted.RUNNING if seen.process else Wanted.OFF
    vm = Vm.objects.create(
        cluster_id=node.cluster_id,
        uuid=config.uuid,
        name=str(agreed["name"])[:100],
        owner=node,
        volume=of_disks(list(Volume.objects.filter(cluster=node.cluster_id)), agreed),
        state=seen.state,
        state_since=tx.now,
        state_reason=seen.reason[:300] if seen.state == "failed" else "",
        observed_at=config.began,
        started_at=seen.started_at or (config.began if seen.process else None),
        started_seen=seen.process and seen.started_at is None,
        wanted=Wanted(hint.get("wanted", wanted)),
        priority=Priority(hint.get("priority", Priority.MEDIUM)),
        offline_action=OfflineAction(hint.get("offline_action", OfflineAction.SAVE)),
        preferred_owners=_ids(node, hint.get("preferred_owners", ())),
        possible_owners=_ids(node, hint.get("possible_owners", ())),
        memory_mib=max(1, agreed["memory_mib"]),
        vcpus=max(1, agreed["vcpus"]),
        notes=agreed["notes"],
        settings={key: value for key, value in agreed.items() if key not in AGREED},
        pending=pending(agreed, agreed, config.running),
        definition=seal(config.definition),
        fingerprint=config.fingerprint,
    )
    if seen.process:
        Holder.objects.create(vm=vm, node=node, since=tx.now, because="adoption")
    tx.event("vm_added", vm=vm, node=node, actor=actor.name)
    tx.touch(vm, "roles")
    return vm


def _ids(node: Node, names: Any) -> list[int]:
    known = dict(Node.objects.filter(cluster=node.cluster_id).values_list("name", "pk"))
    return [known[name] for name in names if name in known]
