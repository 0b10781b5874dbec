"""Tokens: one's own, every account's for an administrator; and who one is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router
from ninja.responses import Status
from pydantic import Field, StrictInt

from clustermgr.actions import tokens as actions
from clustermgr.actions.repeats import Kept
from clustermgr.api.auth import actor, needs
from clustermgr.api.repeats import once
from clustermgr.api.shapes import Me, NewToken, Token, TokenList, or_problem
from clustermgr.api.values import NO_CONTROLS, Body, Id, Limit, Offset
from clustermgr.core import names
from clustermgr.core.findings import finding
from clustermgr.core.states import Role
from clustermgr.errors import ActionRefused
from clustermgr.queries import find, tokens

router = Router(tags=["tokens"])
me = Router(tags=["tokens"])


class TokenOrder(Body):
    """`role`: at most one's own; `days`: how long it is good."""

    name: str = Field(min_length=1, max_length=actions.LONGEST_NAME, pattern=NO_CONTROLS)
    role: Role
    days: StrictInt = Field(default=90, ge=1, le=actions.LONGEST_DAYS)


def _made(request: HttpRequest, kept: Kept, *, order: TokenOrder) -> Any:
    raise ActionRefused(finding("token_made", token=names.tidy(order.name)))


def _revoked(request: HttpRequest, kept: Kept, *, token: int) -> Any:
    return _shown(find.token(tokens.visible(actor(request)), token))


@me.get("", response=or_problem(Me), **needs("own_tokens"))
def show_me(request: HttpRequest) -> Any:
    """Whose token this is, and the role that it has now."""
    who = actor(request)
    return {"account": who.name, "role": who.role}


@router.get("", response=or_problem(TokenList), **needs("own_tokens"))
def list_tokens(request: HttpRequest, offset: Offset = 0, limit: Limit = 100) -> Any:
    """One's own tokens, for an administrator those of every account, good ones first; never a secret."""
    found = tokens.token_list(actor(request), offset, limit)
    return {"items": [_shown(row) for row in found.rows], "next_offset": found.next_offset}


@router.post("", response=or_problem(NewToken, 201), **needs("own_tokens"))
@once(_made)
def create_token(request: HttpRequest, order: TokenOrder) -> Any:
    """A token of the same account. Its secret is in this answer and nowhere else."""
    row, secret = actions.create(
        actor=actor(request), name=order.name, role=order.role.value, days=order.days
    )
    return Status(201, {**_shown(row), "secret": secret})


@router.delete("/{token}", response=or_problem(Token), **needs("own_tokens"))
@once(_revoked)
def revoke_token(request: HttpRequest, token: Id) -> Any:
    """End a token now. It stays in the list as revoked."""
    who = actor(request)
    return _shown(actions.revoke(actor=who, token=find.token(tokens.visible(who), token)))


def _shown(row: Any) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in Token.model_fields if name not in {"account", "state"}}
    return {**plain, "account": row.user.get_username(), "state": tokens.state(row)}
