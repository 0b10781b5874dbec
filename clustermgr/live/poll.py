"""News without a socket: the same body as a frame, over HTTP, for pages that poll every ten seconds."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from clustermgr.access import Actor, role_of
from clustermgr.live.figures import patches
from clustermgr.live.frame import EVERYTHING, Frame
from clustermgr.live.hub import now_text
from clustermgr.queries import live as queries
from clustermgr.queries.roles import whole


@never_cache
@require_GET
@login_not_required  # a script is told 401, not sent to a form
def poll(request: HttpRequest, slug: str) -> HttpResponse:
    """`?since=<cur>`: figures of what runs, and "everything is stale" when something changed since."""
    if not request.user.is_authenticated:
        return JsonResponse({"error": "Sign in again."}, status=401)
    if not Actor(request.user.get_username(), role_of(request.user), "poll").may("view"):
        return JsonResponse({"error": "Your account has no role here."}, status=403)
    found = queries.cluster_of(slug)
    if found is None:
        return JsonResponse({"error": "There is no such cluster."}, status=404)
    cluster_id, version = found
    since = whole(request.GET.get("since", ""))
    behind = since is None or since < version
    frame = Frame(
        cur=version,
        at=now_text(),
        patch=patches((o.id, o.vm_id, o.progress) for o in queries.running_operations(cluster_id)),
        stale=(EVERYTHING,) if behind else (),
    )
    return HttpResponse(frame.text(), content_type="application/json")
