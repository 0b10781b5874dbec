"""Accounts: the first administrator, and links that sign one account in, once."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from clustermgr.access import CLUSTER
from clustermgr.actions._ledger import audit
from clustermgr.core.states import Role
from clustermgr.models import Membership, SignInLink
from clustermgr.ports import clock, new_id

LIFETIME = timedelta(hours=12)


def create_administrator(password: str, username: str = "admin") -> Any:
    """The account with this name as an administrator with this password, made where it is missing."""
    with transaction.atomic():
        user, _ = get_user_model().objects.get_or_create(username=username)
        user.set_password(password)
        user.is_active = True
        user.save(update_fields=["password", "is_active"])
        Membership.objects.update_or_create(user=user, defaults={"role": Role.ADMINISTRATOR})
        audit(CLUSTER, cluster_id=None, verb="create_administrator", subject=username, accepted=True)
    return user


def anybody() -> bool:
    """Whether there is an account that can sign in."""
    return bool(get_user_model().objects.filter(is_active=True).exists())


def make_link(user: Any, lifetime: timedelta = LIFETIME) -> str:
    """A token for /sign-in/<token>/. Only its digest is kept; older unused links of the account end."""
    token = new_id() + new_id()
    now = clock().now()
    with transaction.atomic():
        SignInLink.objects.filter(user=user, used_at=None).delete()
        SignInLink.objects.create(user=user, digest=_digest(token), expires_at=now + lifetime)
    return token


def use_link(token: str) -> Any | None:
    """The account that the token signs in; None when it is unknown, spent or too old. Spends it."""
    now = clock().now()
    link = SignInLink.objects.select_related("user").filter(digest=_digest(token)).first()
    if link is None or not link.user.is_active:
        return None
    # Conditional, so that of two requests at once only one gets in.
    if not SignInLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now).update(used_at=now):
        return None
    return link.user


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
