"""Tokens of the API: made and shown once, looked up by digest, revoked. Each change is audited."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction

from clustermgr.access import Actor, lesser, role_of
from clustermgr.actions._ledger import audit
from clustermgr.actions.rights import require
from clustermgr.core import names
from clustermgr.core.findings import Finding, field_finding, finding
from clustermgr.core.states import Role
from clustermgr.errors import ActionRefused
from clustermgr.models import ApiToken
from clustermgr.ports import clock, new_id
from clustermgr.queries.tokens import visible

PREFIX = "cmt_"
LONGEST_DAYS = 366
LONGEST_NAME = 60
MOST_PER_ACCOUNT = 50
THIS_MACHINE = "clusterctl on this machine"
#: `last_used_at` is for people; a row is not written for every request.
USED_EVERY = timedelta(minutes=1)


def create(*, actor: Actor, name: str, role: str, days: int) -> tuple[ApiToken, str]:
    """A token of the actor's account and its secret, which nobody can see again. One that a token makes ends
    with that token, or before.

    Raises ActionRefused: 401 (the token that makes it was revoked), 403 (no right, or a role above the
    actor's own), 422 (a finding per field).
    """
    require(actor, "own_tokens")
    name = names.tidy(name)
    secret = PREFIX + new_id() + new_id()
    with transaction.atomic():
        _one_at_a_time(actor.user)
        if actor.token is not None:
            actor.token.refresh_from_db()
            _must_be_good(actor.token, clock().now())
        found, status = _wrong(actor, name, role, days), 422
        if not found and lesser(Role(role), actor.role) != role:
            found, status = [finding("token_above", role=role, own=actor.role)], 403
        if not found:
            token = _make(actor, name, role, days, secret)
    if found:
        raise _refuse(actor, "create_token", name, *found, status=status)
    return token, secret


def revoke(*, actor: Actor, token: ApiToken) -> ApiToken:
    """End a token now, and those that it made; one that has ended stays as it is. Own tokens, for an
    administrator all of them.

    Raises ActionRefused: 403 (no right, or a token of a higher role than the actor's), 404.
    """
    require(actor, "own_tokens")
    if not visible(actor).filter(pk=token.pk).exists():
        raise ActionRefused(finding("unknown_token", token=token.pk), status=404)
    if lesser(Role(token.role), actor.role) != token.role:
        found = finding("not_allowed", role=actor.role, needed=token.role)
        raise _refuse(actor, "revoke_token", token.name, found, status=403)
    with transaction.atomic():
        _one_at_a_time(token.user)
        _end(actor, [token])
    token.refresh_from_db()
    return token


def _end(actor: Actor, tokens: list[ApiToken]) -> None:
    for token in tokens:
        good = ApiToken.objects.filter(pk=token.pk, revoked_at=None)
        if good.update(revoked_at=clock().now(), revoked_by=actor.name):
            _audit(actor, "revoke_token", token)
    if tokens:
        children = ApiToken.objects.select_related("user").filter(parent__in=tokens)
        _end(replace(actor, sent=None), list(children))


def use(secret: str, address: str) -> Actor:
    """Who acts with this secret, with the lower of the token's role and its owner's. 401 when nobody."""
    digest = _digest(secret)
    token = ApiToken.objects.select_related("user__membership").filter(digest=digest).first()
    now = clock().now()
    if token is None:
        raise ActionRefused(finding("token_unknown"), status=401)
    _must_be_good(token, now)
    if not token.user.is_active:
        raise ActionRefused(finding("token_inactive", token=token.name), status=401)
    if token.last_used_at is None or now - token.last_used_at > USED_EVERY:
        # On a full disk a token still reads; only the order that it gives is refused.
        with suppress(DatabaseError):
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    role = lesser(Role(token.role), role_of(token.user))
    return Actor(
        name=token.user.get_username(),
        role=role,
        origin=f"api {address}, token {token.pk}"[:60],
        user=token.user,
        token=token,
    )


def _must_be_good(token: ApiToken, now: datetime) -> None:
    if token.revoked_at is not None:
        raise ActionRefused(finding("token_revoked", token=token.name), status=401)
    if token.expires_at <= now:
        raise ActionRefused(finding("token_expired", token=token.name), status=401)


def _one_at_a_time(user: Any) -> None:
    """Until this transaction ends no other one makes or ends a token of the account."""
    get_user_model().objects.select_for_update().get(pk=user.pk)


def _make(actor: Actor, name: str, role: str, days: int, secret: str) -> ApiToken:
    now = clock().now()
    asked = now + timedelta(days=days)
    token = ApiToken.objects.create(
        user=actor.user,
        parent=actor.token,
        name=name,
        role=role,
        digest=_digest(secret),
        created_at=now,
        expires_at=min(asked, actor.token.expires_at) if actor.token else asked,
    )
    _audit(actor, "create_token", token)
    return token


def _wrong(actor: Actor, name: str, role: str, days: int) -> list[Finding]:
    found = []
    mine = visible(actor, own=True).filter(revoked_at=None, expires_at__gt=clock().now())
    if not name:
        found.append(field_finding("name", "Give the token a name that says what uses it."))
    elif wrong := names.trouble(name, "A token's", LONGEST_NAME):
        found.append(field_finding("name", wrong))
    elif mine.filter(name=name).exists():
        found.append(field_finding("name", f"You have a token called “{name}”; choose another name."))
    elif mine.count() >= MOST_PER_ACCOUNT:
        text = f"You have {MOST_PER_ACCOUNT} tokens, the most for one account. Revoke one first."
        found.append(field_finding("name", text))
    if role not in list(Role):
        found.append(field_finding("role", f"The role must be one of: {', '.join(Role)}."))
    if not 1 <= days <= LONGEST_DAYS:
        found.append(field_finding("days", f"A token is good for 1 to {LONGEST_DAYS} days."))
    return found


def _audit(actor: Actor, verb: str, token: ApiToken) -> None:
    words = {"role": token.role, "account": token.user.get_username()}
    audit(actor, cluster_id=None, verb=verb, subject=token.name, accepted=True, made=token.pk, **words)


def _refuse(actor: Actor, verb: str, name: str, *found: Finding, status: int) -> ActionRefused:
    answer = " ".join(each.sentence for each in found)
    # A refused name may hold what no column can.
    subject = names.seen_part(name)
    audit(actor, cluster_id=None, verb=verb, subject=subject, accepted=False, answer=answer)
    return ActionRefused(*found, status=status)


def _digest(secret: str) -> str:
    # A secret has more than 240 random bits, so that a plain digest cannot be turned back.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def secret_for_this_machine(user: Any, known: str) -> str:
    """The secret `known` while it is good for another month, else a new one of the account `user`."""
    soon = clock().now() + timedelta(days=30)
    good = ApiToken.objects.filter(user=user, revoked_at=None, expires_at__gt=soon)
    if known and good.filter(digest=_digest(known)).exists():
        return known
    actor = Actor(name=user.get_username(), role=role_of(user), origin="start", user=user)
    for old in ApiToken.objects.filter(user=user, name=THIS_MACHINE, revoked_at=None):
        revoke(actor=actor, token=old)
    role = actor.role or Role.VIEWER
    return create(actor=actor, name=THIS_MACHINE, role=role, days=LONGEST_DAYS)[1]
