"""How a node is reached, and hosts that are tested before they become nodes. Secrets are sealed here."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from clustermgr.core.states import CandidateState
from clustermgr.models.cluster import Cluster, Node


class NodeAccess(models.Model):
    """How one node is signed in to. Without a row: with what the workers' own account has.

    `credentials` is sealed and read by jobs alone; `host_key` is public: what the host must show by ssh.
    """

    node = models.OneToOneField(Node, on_delete=models.CASCADE, related_name="access")
    credentials = models.TextField(blank=True, help_text="encrypted at rest")
    means = models.CharField(max_length=60, blank=True, help_text="what kind of secret it is, in words")
    host_key = models.TextField(blank=True)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=150)


class Candidate(models.Model):
    """A host that is being tested: to become a node, or (`node`) to be reached in another way.

    `round` grows with every test, so that the answer of an earlier one changes nothing. `expected`: a key
    that whoever asked knows already ("SHA256:…"), "any" for the first one shown, or nothing: they are asked.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="candidates")
    node = models.ForeignKey(Node, null=True, on_delete=models.CASCADE, related_name="candidates")
    name = models.CharField(max_length=60)
    driver = models.CharField(max_length=20)
    address = models.CharField(max_length=300)
    migration_address = models.CharField(max_length=300, blank=True)
    credentials = models.TextField(blank=True, help_text="encrypted at rest")
    means = models.CharField(max_length=60, blank=True)

    state = models.CharField(
        max_length=20, choices=[(s, s) for s in CandidateState], default=CandidateState.TESTING
    )
    round = models.PositiveIntegerField(default=1)
    sent_at = models.DateTimeField()
    expected = models.CharField(max_length=100, blank=True)
    offered = models.JSONField(default=list, help_text="host keys that it showed")
    host_key = models.TextField(blank=True, help_text="the one that was confirmed")
    findings = models.JSONField(default=list, help_text="[{level, what, advice}]")
    facts = models.JSONField(default=dict)
    host_uuid = models.CharField(max_length=36, blank=True)

    asked_by = models.CharField(max_length=150)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=list(CandidateState)), name="candidate_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
