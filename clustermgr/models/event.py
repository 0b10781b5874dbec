"""What happened (events), who ordered what (audit), and the keys under which an order is done once."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from clustermgr.core.states import Level
from clustermgr.models.cluster import Cluster, Node
from clustermgr.models.operation import Operation
from clustermgr.models.vm import Vm


class Event(models.Model):
    """A fact in the cluster's history. Its sentence is derived from `code` and `params` (core.events)."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    level = models.CharField(max_length=10, choices=[(x, x) for x in Level], default=Level.INFO)
    code = models.CharField(max_length=40)
    params = models.JSONField(default=dict)
    node = models.ForeignKey(Node, null=True, on_delete=models.SET_NULL, related_name="events")
    vm = models.ForeignKey(Vm, null=True, on_delete=models.SET_NULL, related_name="events")
    operation = models.ForeignKey(Operation, null=True, on_delete=models.SET_NULL, related_name="events")
    actor = models.CharField(max_length=150, blank=True)
    cause = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="effects")

    class Meta:
        ordering = ("-at", "-id")
        indexes = [
            models.Index(fields=["cluster", "-at", "-id"]),
            models.Index(fields=["vm", "-at"]),
            models.Index(fields=["node", "-at"]),
        ]


class AuditEntry(models.Model):
    """An order, accepted or refused: who, from where, what, and the answer."""

    cluster = models.ForeignKey(Cluster, null=True, on_delete=models.SET_NULL, related_name="audit")
    at = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    username = models.CharField(max_length=150)
    origin = models.CharField(max_length=60, help_text="web 192.0.2.7, command line, cluster ...")
    verb = models.CharField(max_length=40)
    subject = models.CharField(max_length=200)
    params = models.JSONField(default=dict)
    accepted = models.BooleanField()
    answer = models.CharField(max_length=500, blank=True)
    operation = models.ForeignKey(Operation, null=True, on_delete=models.SET_NULL, related_name="audit")

    class Meta:
        ordering = ("-at", "-id")
        indexes = [models.Index(fields=["username", "verb", "-at"], name="audit_by_who_and_verb")]


class OrderKey(models.Model):
    """One order of one account that was sent with an idempotency key. It is done once.

    `digest`: of all that was ordered. `entry`: its audit entry, or nothing when there was nothing to change;
    `made`: the id of the test, node, token … that it made.
    """

    account = models.CharField(max_length=150)
    key = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(db_index=True)
    entry = models.ForeignKey(AuditEntry, null=True, on_delete=models.CASCADE, related_name="keys")
    made = models.PositiveBigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="order_key_once_per_account")]

    def __str__(self) -> str:
        return f"{self.key} of {self.account}"
