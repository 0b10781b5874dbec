"""The lease under which one watch task looks at a cluster: taken, renewed, freed by conditional updates.

Its times are the database's: watchers on several machines compare them (safety.md 3).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from clustermgr.actions import claims, standing
from clustermgr.models import Cluster, Node, WatchShard
from clustermgr.ports import clock

LEASE_S = 6.0
#: How often the rows of nodes that answer get a new time; the shard's `heard_at` has it every second.
NODES_HEARD_S = 5.0


def take(cluster_id: int, owner: str) -> bool:
    """Become the one watcher of a cluster; False while another's lease runs. With it a session begins."""
    now = clock().database_now()
    _not_ahead()
    free = Q(lease_owner="") | Q(lease_expires__isnull=True) | Q(lease_expires__lte=now)
    epoch = standing.installation().epoch
    with transaction.atomic(durable=True):
        taken = WatchShard.objects.filter(free, cluster=cluster_id).update(
            lease_owner=owner, lease_expires=now + timedelta(seconds=LEASE_S)
        )
        if taken:
            claims.begin(cluster_id, epoch)
    return bool(taken)


def heard(cluster_id: int, owner: str) -> bool:
    """Renew the lease and say that the cluster is being looked at; False when the lease was lost."""
    now = clock().database_now()
    return bool(
        WatchShard.objects.filter(cluster=cluster_id, lease_owner=owner, lease_expires__gt=now).update(
            lease_expires=now + timedelta(seconds=LEASE_S), heard_at=now
        )
    )


def nodes_heard(ids: Collection[int]) -> None:
    """These nodes answered just now. Takes no version: a page knows it from the shard's time."""
    Node.objects.filter(pk__in=ids).update(observed_at=clock().now())


def free(cluster_id: int, owner: str) -> None:
    """Give the lease back, and let it be sent again at once."""
    WatchShard.objects.filter(cluster=cluster_id, lease_owner=owner).update(
        lease_owner="", lease_expires=None, sent_at=None
    )


def due() -> list[int]:
    """Clusters that nobody watches; each is named at most once per lease time."""
    now = clock().database_now()
    _shards_for_all()
    _not_ahead()
    stale = Q(lease_expires__isnull=True) | Q(lease_expires__lte=now)
    ago = now - timedelta(seconds=LEASE_S)
    unsent = Q(sent_at__isnull=True) | Q(sent_at__lte=ago) | Q(sent_at__gt=now + timedelta(seconds=1))
    candidates = WatchShard.objects.filter(stale & unsent).values_list("pk", "cluster_id")
    return [
        cluster_id
        for pk, cluster_id in candidates
        if WatchShard.objects.filter(unsent, pk=pk).update(sent_at=now)
    ]


def _not_ahead() -> None:
    """As `leases.not_ahead`: a clock that was set back keeps no dead watcher's lease alive."""
    latest = clock().database_now() + timedelta(seconds=LEASE_S)
    WatchShard.objects.filter(lease_expires__gt=latest).update(lease_expires=latest)


def _shards_for_all() -> None:
    for cluster in Cluster.objects.filter(watch__isnull=True):
        WatchShard.objects.get_or_create(cluster=cluster)
