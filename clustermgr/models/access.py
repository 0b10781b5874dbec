"""Who may do what: one role per account."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from clustermgr.core.states import Role


class Membership(models.Model):
    """A user's role. Without one, an account may sign in and sees nothing."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="membership")
    role = models.CharField(max_length=20, choices=[(r, r) for r in Role], default=Role.VIEWER)


class SignInLink(models.Model):
    """A link printed at the start that signs one account in, once. Only a digest of its token is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class ApiToken(models.Model):
    """A key of one account for the API. Only a digest is kept; its role is never above its owner's.

    `parent`: the token that made it. It ends with that one, or before.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    name = models.CharField(max_length=60)
    role = models.CharField(max_length=20, choices=[(r, r) for r in Role])
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=list(Role)), name="token_role_known"),
        ]

    def __str__(self) -> str:
        return self.name
