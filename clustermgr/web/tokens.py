"""Tokens of the API: one's own, or everybody's for an administrator; made, shown once, revoked."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from clustermgr.access import RANK, Actor
from clustermgr.actions import tokens as actions
from clustermgr.actions.rights import require
from clustermgr.core.states import Role
from clustermgr.errors import ActionRefused
from clustermgr.queries import find
from clustermgr.queries import tokens as queries
from clustermgr.queries.roles import whole
from clustermgr.web.http import actor

DAYS = 90
FARTHEST = 1_000_000


@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    who = actor(request)
    require(who, "own_tokens")
    given = request.POST if request.method == "POST" else {"role": Role.VIEWER, "days": str(DAYS)}
    context: dict[str, Any] = {"given": given, "errors": {}}
    status = 200
    if request.method == "POST":
        try:
            context["made"], context["secret"] = _create(request, who)
            status = 201
        except ActionRefused as refusal:
            status = refusal.status
            context["errors"] = {found.field: found.sentence for found in refusal.findings}
    return render(request, "tokens.html", {**context, **_list(request, who)}, status=status)


def _create(request: HttpRequest, who: Actor) -> tuple[Any, str]:
    """The name as typed; a number of days that is none becomes one that the action refuses."""
    given = request.POST
    name, role = given.get("name", "")[:200], given.get("role", "")[:40]
    return actions.create(actor=who, name=name, role=role, days=whole(given.get("days", "")) or 0)


def _list(request: HttpRequest, who: Actor) -> dict[str, Any]:
    found = queries.token_list(who, min(whole(request.GET.get("offset", "")) or 0, FARTHEST))
    asked = queries.visible(who).filter(pk=whole(request.GET.get("revoke", "")) or 0).first()
    return {
        "actor": who,
        "rows": [(row, queries.state(row)) for row in found.rows],
        "next_offset": found.next_offset,
        "everybody": who.may("all_tokens"),
        "asked": asked if asked is not None and queries.state(asked) == "good" else None,
        "roles": [role for role in Role if who.role and RANK[role] <= RANK[who.role]],
        "longest": actions.LONGEST_DAYS,
    }


@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    who = actor(request)
    require(who, "own_tokens")
    token = actions.revoke(actor=who, token=find.token(queries.visible(who), pk))
    messages.success(request, f"The token “{token.name}” is revoked; it opens nothing any more.")
    return redirect("tokens")
