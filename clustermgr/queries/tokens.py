"""Tokens of the API as lists show them: one's own, or every account's for an administrator."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Case, QuerySet, When

from clustermgr.access import Actor
from clustermgr.models import ApiToken
from clustermgr.ports import clock

PAGE = 100


def visible(actor: Actor, *, own: bool = False) -> QuerySet[ApiToken]:
    """The tokens that the actor may see. `own`: only those of the actor's account."""
    found = ApiToken.objects.select_related("user")
    return found if actor.may("all_tokens") and not own else found.filter(user=actor.user)


@dataclass(frozen=True, slots=True)
class TokenList:
    rows: list[ApiToken]
    next_offset: int | None


def token_list(actor: Actor, offset: int = 0, limit: int = PAGE) -> TokenList:
    """Those that can still be used before those that have ended, the newest first."""
    ended = Case(When(revoked_at=None, expires_at__gt=clock().now(), then=0), default=1)
    rows = list(visible(actor).order_by(ended, "-id")[offset : offset + limit + 1])
    return TokenList(rows[:limit], offset + limit if len(rows) > limit else None)


def state(token: ApiToken) -> str:
    """ "good", "revoked" or "expired"."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at <= clock().now() else "good"
