"""Clusters, their nodes, networks and volumes."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower

from clustermgr.core.states import NodeState, VolumeKind


class Cluster(models.Model):
    """One failover cluster. `version` grows by one with every change that a screen can show."""

    name = models.CharField(max_length=60, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    version = models.PositiveBigIntegerField(default=1)
    live_migrations_per_node = models.PositiveSmallIntegerField(default=1)
    migration_bandwidth_mib_s = models.PositiveIntegerField(default=0, help_text="0: no limit")
    allow_unsafe_migration = models.BooleanField(
        default=False, help_text="the CSV is a plain shared directory which libvirt takes for a local one"
    )
    created_at = models.DateTimeField()
    stood_down_at = models.DateTimeField(null=True, help_text="no order and no automatic act since then")
    stood_down_reason = models.CharField(max_length=300, blank=True)
    stood_down_by = models.CharField(max_length=150, blank=True)
    rivals = models.JSONField(default=dict, help_text="managers whose stamps were seen: id -> highest epoch")
    overruled = models.JSONField(default=dict, help_text="managers taken over from: id -> epochs up to this")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Node(models.Model):
    """A host of the cluster. `state` is the manager's word; `paused` is what the administrator asked for."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="nodes")
    name = models.CharField(max_length=60)
    driver = models.CharField(max_length=20)
    address = models.CharField(max_length=300)
    migration_address = models.CharField(max_length=300, blank=True)
    host_uuid = models.CharField(max_length=36, blank=True)

    state = models.CharField(max_length=20, choices=[(s, s) for s in NodeState], default=NodeState.JOINING)
    state_since = models.DateTimeField()
    state_reason = models.CharField(max_length=300, blank=True)
    paused = models.BooleanField(default=False)
    observed_at = models.DateTimeField(null=True, help_text="when the host last answered")
    restored_at = models.DateTimeField(
        null=True, help_text="the database was put back then, and nobody has looked at this host since"
    )

    hypervisor = models.CharField(max_length=60, blank=True)
    simulated = models.BooleanField(default=False)
    cpus = models.PositiveIntegerField(default=0)
    memory_mib = models.PositiveIntegerField(default=0)
    cpu_model = models.CharField(max_length=100, blank=True)
    cpu_features = models.JSONField(default=list)
    networks = models.JSONField(default=list)
    capabilities = models.JSONField(default=list)
    cpu_percent = models.FloatField(null=True)
    memory_used_mib = models.PositiveIntegerField(null=True)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint("cluster", Lower("name"), name="node_name_once_per_cluster"),
            models.UniqueConstraint(fields=["driver", "address"], name="host_in_one_cluster"),
            models.UniqueConstraint(
                fields=["host_uuid"], condition=~models.Q(host_uuid=""), name="host_uuid_once"
            ),
            models.CheckConstraint(condition=models.Q(state__in=list(NodeState)), name="node_state_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def taken_in(self) -> bool:
        """Its facts, volumes and VMs were read once; they are written together."""
        return bool(self.hypervisor)


class Network(models.Model):
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="networks")
    name = models.CharField(max_length=60)
    use = models.CharField(max_length=40, default="Cluster and client")
    nodes = models.ManyToManyField(Node, related_name="carried_networks")

    class Meta:
        ordering = ("name",)
        constraints = [models.UniqueConstraint(fields=["cluster", "name"], name="network_name_once")]

    def __str__(self) -> str:
        return self.name


class Volume(models.Model):
    """A CSV (active on many nodes at once) or a cluster disk (one owner at a time)."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="volumes")
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=[(k, k) for k in VolumeKind])
    declared = models.BooleanField(default=False, help_text="an administrator said what kind it is")
    owner = models.ForeignKey(Node, null=True, blank=True, on_delete=models.PROTECT, related_name="disks")
    path = models.CharField(max_length=300, blank=True)
    file_system = models.CharField(max_length=40, blank=True)
    capacity_bytes = models.PositiveBigIntegerField(default=0)
    used_bytes = models.PositiveBigIntegerField(default=0)
    observed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(fields=["cluster", "name"], name="volume_name_once"),
            models.CheckConstraint(condition=models.Q(kind__in=list(VolumeKind)), name="volume_kind_known"),
        ]

    def __str__(self) -> str:
        return self.name


class VolumeAccess(models.Model):
    """Whether one node sees one volume: “online” alone would hide a blind node."""

    volume = models.ForeignKey(Volume, on_delete=models.CASCADE, related_name="access")
    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="volume_access")
    active = models.BooleanField()
    reachable = models.BooleanField()
    observed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["volume", "node"], name="volume_access_once")]


class WatchShard(models.Model):
    """The lease under which one watch task looks at the nodes of one cluster, and when it last did."""

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="watch")
    lease_owner = models.CharField(max_length=40, blank=True)
    lease_expires = models.DateTimeField(null=True)
    heard_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
