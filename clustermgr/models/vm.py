"""Virtual machine roles, who may hold a copy of them, and how their configuration drifted."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower

from clustermgr.core.states import OfflineAction, Priority, VmState, Wanted
from clustermgr.models.cluster import Cluster, Node, Volume


class Vm(models.Model):
    """A VM that the cluster keeps available: the cluster's copy of its settings, and what was last seen."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="vms")
    uuid = models.CharField(max_length=36)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="vms")
    volume = models.ForeignKey(Volume, null=True, blank=True, on_delete=models.PROTECT, related_name="vms")

    state = models.CharField(max_length=20, choices=[(s, s) for s in VmState], default=VmState.UNKNOWN)
    state_since = models.DateTimeField()
    state_reason = models.CharField(max_length=300, blank=True)
    observed_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    started_seen = models.BooleanField(
        default=False, help_text="it ran before it was looked at: started_at is when it was first seen"
    )
    cpu_percent = models.FloatField(null=True)
    memory_used_mib = models.PositiveIntegerField(null=True)

    wanted = models.CharField(max_length=10, choices=[(w, w) for w in Wanted], default=Wanted.OFF)
    priority = models.CharField(max_length=20, choices=[(p, p) for p in Priority], default=Priority.MEDIUM)
    offline_action = models.CharField(
        max_length=20, choices=[(a, a) for a in OfflineAction], default=OfflineAction.SAVE
    )
    preferred_owners = models.JSONField(default=list, help_text="node ids, the best first")
    possible_owners = models.JSONField(default=list, help_text="node ids; empty: every node")

    memory_mib = models.PositiveIntegerField()
    vcpus = models.PositiveIntegerField()
    notes = models.TextField(blank=True)
    settings = models.JSONField(default=dict, help_text="the rest of the agreed settings")
    pending = models.JSONField(
        default=dict, help_text="{field: what it still runs with} until its next start"
    )
    definition = models.TextField(blank=True, help_text="complete definition, encrypted at rest")
    fingerprint = models.CharField(max_length=64, blank=True)
    config_version = models.PositiveIntegerField(default=1)
    saved_file = models.CharField(max_length=300, blank=True)
    saved_spent = models.BooleanField(default=False, help_text="restored once: never again")

    restarts = models.PositiveIntegerField(default=0, help_text="in the present restart period")
    restarts_since = models.DateTimeField(null=True)
    failovers = models.PositiveIntegerField(default=0, help_text="in the present failure period")
    failovers_since = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(fields=["cluster", "uuid"], name="vm_once_per_cluster"),
            models.UniqueConstraint("cluster", Lower("name"), name="vm_name_once_per_cluster"),
            models.CheckConstraint(condition=models.Q(state__in=list(VmState)), name="vm_state_known"),
            models.CheckConstraint(condition=models.Q(memory_mib__gt=0), name="vm_has_memory"),
            models.CheckConstraint(condition=models.Q(vcpus__gt=0), name="vm_has_processors"),
        ]
        indexes = [
            models.Index(fields=["cluster", "state", "memory_mib"], name="vm_by_state_with_memory"),
            models.Index(fields=["cluster", "owner"]),
            models.Index(fields=["owner", "state"], name="vm_by_node_and_state"),
        ]

    def __str__(self) -> str:
        return self.name


class Holder(models.Model):
    """A node that may have a process of a VM (safety.md 1). Written before the call that could make one."""

    vm = models.ForeignKey(Vm, on_delete=models.CASCADE, related_name="holders")
    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="held")
    since = models.DateTimeField()
    because = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["vm", "node"], name="holder_once")]


class Drift(models.Model):
    """How a VM's configuration on its host differs from the cluster's copy, field by field."""

    vm = models.OneToOneField(Vm, on_delete=models.CASCADE, related_name="drift")
    found_at = models.DateTimeField()
    read_at = models.DateTimeField()
    fields = models.JSONField(help_text="[{field, cluster, host, running}]")
    fingerprint = models.CharField(max_length=64, help_text="of the host's configuration that was compared")
    definition = models.TextField(help_text="the host's definition, encrypted at rest")
    settings = models.JSONField(default=dict)
