"""The dialog in which an administrator says what a volume is, where its hosts cannot know."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from clustermgr.actions import volumes
from clustermgr.core.words import VOLUME_KINDS
from clustermgr.errors import ActionRefused
from clustermgr.models import Volume
from clustermgr.queries import find
from clustermgr.web.http import Here, done, enter, is_part, page


@require_http_methods(["GET", "HEAD", "POST"])
def declare(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug, "declare_volume")
    volume = find.volume(here.cluster, str(pk))
    if request.method != "POST":
        return _dialog(here, volume)
    try:
        row = volumes.declare_volume(actor=here.actor, volume=volume, kind=request.POST.get("kind", ""))
    except ActionRefused as refusal:
        return _dialog(here, volume, tuple(refusal.findings), refusal.status)
    sentence = f"{row.name} is declared: {VOLUME_KINDS[row.kind]}."
    if not is_part(request) or request.htmx.boosted:
        return done(here, sentence, "storage")
    messages.success(request, sentence)
    return HttpResponse(status=204, headers={"HX-Redirect": here.url("storage")})


def _dialog(here: Here, volume: Volume, found: tuple[Any, ...] = (), status: int = 200) -> HttpResponse:
    context = {"volume": volume, "findings": found, "kinds": VOLUME_KINDS.items()}
    return page(here, "dialogs/declare.html", context, status=status)
