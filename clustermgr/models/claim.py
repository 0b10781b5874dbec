"""The session of a cluster's watch and its claim on a shared volume: what shows copies of one database."""

from __future__ import annotations

from django.db import models

from clustermgr.core.markers import ClaimState
from clustermgr.models.cluster import Cluster


class Claim(models.Model):
    """One row per cluster, of its newest session. Written before the host is called, so that an answer which
    was lost is recognised."""

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="claim")
    epoch = models.PositiveBigIntegerField()
    session = models.PositiveBigIntegerField()
    nonces = models.JSONField(default=dict, help_text="node -> nonce of the marker made through it")
    state = models.CharField(
        max_length=20, choices=[(s, s) for s in ClaimState], default=ClaimState.OPEN.value
    )
    since = models.DateTimeField(help_text="when acts began to wait for it")
    reason = models.CharField(max_length=300, blank=True, help_text="why it is not held")
    volume = models.CharField(max_length=60, blank=True, help_text="where it, or the one before, was held")
    busy_until = models.DateTimeField(null=True, help_text="a worker is making it")
    stamp_after = models.BooleanField(default=False, help_text="stamp every machine once it is settled")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=list(ClaimState)), name="claim_state_known"),
        ]

    def __str__(self) -> str:
        return f"session {self.session} of epoch {self.epoch}"
