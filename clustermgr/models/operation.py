"""Operations: history, work queue and progress display in one row; and the slots that they hold."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from clustermgr.core.states import ACTIVE, SETTLED, OperationKind, OperationState, Phase
from clustermgr.models.cluster import Cluster, Node
from clustermgr.models.vm import Vm


class Operation(models.Model):
    """One order. Owned by one worker at a time through a lease; settled only on an observed outcome."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="operations")
    kind = models.CharField(max_length=20, choices=[(k, k) for k in OperationKind])
    # A role with an active operation is not removed; of settled ones the name stays.
    vm = models.ForeignKey(Vm, null=True, on_delete=models.SET_NULL, related_name="operations")
    gone_vm = models.CharField(max_length=100, blank=True, help_text="its name, when it was removed")
    # A node with an active operation is not evicted; of settled ones the name stays.
    source = models.ForeignKey(Node, null=True, on_delete=models.SET_NULL, related_name="operations_from")
    target = models.ForeignKey(Node, null=True, on_delete=models.SET_NULL, related_name="operations_to")
    gone_source = models.CharField(max_length=60, blank=True, help_text="its name, when it was evicted")
    gone_target = models.CharField(max_length=60, blank=True)
    params = models.JSONField(default=dict)

    state = models.CharField(
        max_length=12, choices=[(s, s) for s in OperationState], default=OperationState.QUEUED
    )
    phase = models.CharField(max_length=16, choices=[(p, p) for p in Phase], default=Phase.QUEUED)
    step = models.CharField(max_length=24, default="begin", help_text="where the next owner goes on")
    memory = models.JSONField(default=dict, help_text="what steps must remember between owners")
    wait_reason = models.CharField(max_length=300, blank=True)
    outcome = models.CharField(max_length=500, blank=True, help_text="how it ended, one sentence")
    advice = models.CharField(max_length=300, blank=True, help_text="what the administrator can do next")
    raw_reason = models.TextField(blank=True, help_text="the hypervisor's own words")

    progress = models.JSONField(default=dict, help_text="numbers for the bar; see core.progress")
    requested_by = models.CharField(max_length=150)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    reason = models.CharField(max_length=300, blank=True)
    cause = models.ForeignKey("Event", null=True, on_delete=models.SET_NULL, related_name="led_to")
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="children")
    priority = models.IntegerField(default=0)

    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested_by = models.CharField(max_length=150, blank=True)

    lease_owner = models.CharField(max_length=40, blank=True)
    lease_expires = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True, help_text="no step before this time")
    #: No column: until when its worker may call a host, by that worker's monotonic clock.
    held_until: float = 0.0

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=["vm"],
                condition=models.Q(state__in=[str(s) for s in ACTIVE]),
                name="one_change_at_a_time_per_vm",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=list(OperationState)), name="operation_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(vm__isnull=False) | models.Q(state__in=[str(s) for s in SETTLED]),
                name="active_operation_has_its_vm",
            ),
        ]
        indexes = [
            models.Index(fields=["cluster", "state", "-created_at"]),
            models.Index(fields=["state", "lease_expires"]),
            models.Index(fields=["cluster", "finished_at"], name="operation_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.vm_id} #{self.pk}"

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def vm_name(self) -> str:
        return self.vm.name if self.vm else self.gone_vm

    @property
    def source_name(self) -> str:
        return self.source.name if self.source else self.gone_source

    @property
    def target_name(self) -> str:
        return self.target.name if self.target else self.gone_target


class Slot(models.Model):
    """One live migration at a node, to or from it. A slot belongs to the operation, not to its worker."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="slots")
    number = models.PositiveSmallIntegerField()
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="slots")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node", "number"], name="slot_taken_once"),
            models.UniqueConstraint(fields=["node", "operation"], name="slot_once_per_operation"),
        ]


class OperationTally(models.Model):
    """How many operations of a kind ended so, within one class of duration (core.tallies), ever.

    Counted when an operation is settled, so that history may be tidied and no reader walks through it.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="tallies")
    kind = models.CharField(max_length=20)
    outcome = models.CharField(max_length=12)
    within_s = models.CharField(max_length=10, blank=True, help_text="upper bound in seconds")
    number = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0.0, help_text="the sum of their durations")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "kind", "outcome", "within_s"], name="operation_tally_once"
            ),
        ]
