"""Tokens of the API as lists show them: one's own, or every account's for an administrator."""

from __future__ import annotations

from django.db.models import QuerySet

from clustermgr.access import Actor
from clustermgr.models import ApiToken
from clustermgr.ports import clock

PAGE = 100


def visible(actor: Actor, *, own: bool = False) -> QuerySet[ApiToken]:
    """The tokens that the actor may see. `own`: only those of the actor's account."""
    found = ApiToken.objects.select_related("user")
    return found if actor.may("all_tokens") and not own else found.filter(user=actor.user)


def token_list(actor: Actor, *, own: bool = False) -> list[ApiToken]:
    """The newest first; those that can still be used before those that have ended."""
    rows = list(visible(actor, own=own).order_by("-id")[:PAGE])
    return sorted(rows, key=lambda row: state(row) != "good")


def state(token: ApiToken) -> str:
    """ "good", "revoked" or "expired"."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at <= clock().now() else "good"
