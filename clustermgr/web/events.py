"""Cluster events: the filtered list, how many are new, and one event with its cause and what it led to."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from clustermgr.core.states import Level
from clustermgr.models import Vm
from clustermgr.queries import events as queries
from clustermgr.queries.roles import whole
from clustermgr.web.http import enter, page
from clustermgr.web.words import LEVELS

LEVEL_CHOICES = [
    (Level.WARNING.value, "Warnings and worse"),
    (Level.ERROR.value, "Errors and worse"),
    (Level.CRITICAL.value, LEVELS[Level.CRITICAL].word),
]


@require_safe
def event_list(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug)
    wanted = queries.EventFilter.read(request.GET)
    if request.GET.get("region") == "new-events":
        newest = whole(request.GET.get("newest", "")) or 0
        count = queries.newer(here.cluster, wanted, newest)
        return page(here, "events.html", {"wanted": wanted, "new": count, "newest": newest})
    found = queries.event_list(here.cluster, wanted)
    context = {
        "wanted": wanted,
        "found": found,
        "newest": found.newest,
        "new": 0,
        "levels": LEVEL_CHOICES,
        "role": Vm.objects.filter(cluster=here.cluster, pk=wanted.role or 0).only("name").first(),
    }
    return page(here, "events.html", context)


@require_safe
def event(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug)
    found = queries.event_detail(here.cluster, pk)
    if found is None:
        raise Http404(f"There is no event {pk} in {here.cluster.name}.")
    return page(here, "event.html", {"detail": found, "event": found.event})
