"""The cluster chooser and the overview of one cluster."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from clustermgr.actions.rights import require
from clustermgr.queries import overview as queries
from clustermgr.web.http import actor, enter, page


@require_safe
def chooser(request: HttpRequest) -> HttpResponse:
    """With one cluster this leads to it."""
    who = actor(request)
    require(who, "view")
    found = queries.clusters()
    if len(found) == 1 and request.GET.get("all") != "1":
        return redirect("overview", found[0].slug)
    context = {"clusters": found, "actor": who, "may_create": who.may("create_cluster")}
    return render(request, "clusters.html", context)


@require_safe
def overview(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug)
    return page(here, "overview.html", {"overview": queries.overview(here.cluster)})
