"""The page that says whether a cluster is managed from here, and that stands it down or takes it over."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from clustermgr.actions import standing
from clustermgr.actions.rights import require
from clustermgr.core.findings import field_finding
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster
from clustermgr.queries import management as queries
from clustermgr.web.http import Here, done, enter, page

RIGHTS = {"resume": "resume_cluster", "take_over": "take_over"}
SAID = {
    "stand_down": "{cluster} stands down. Nothing is ordered or done until somebody resumes it.",
    "resume": "{cluster} is managed again.",
    "take_over": "{cluster} is managed from here now; its virtual machines are being stamped anew.",
}


@require_http_methods(["GET", "HEAD", "POST"])
def management(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug)
    if request.method != "POST":
        return _page(here)
    what = request.POST.get("do", "")
    require(here.actor, RIGHTS.get(what, "stand_down"), here.cluster)
    try:
        _order(here, what)
    except ActionRefused as refusal:
        return _page(here, refusal)
    return done(here, SAID[what].format(cluster=here.cluster.name), "management")


def _order(here: Here, what: str) -> Cluster:
    given = here.request.POST
    if what == "stand_down":
        return standing.stand_down(actor=here.actor, cluster=here.cluster, reason=given.get("reason", ""))
    if what == "resume":
        return standing.resume(actor=here.actor, cluster=here.cluster)
    if what == "take_over":
        return standing.take_over(actor=here.actor, cluster=here.cluster, confirm=given.get("confirm", ""))
    raise ActionRefused(field_finding("do", "Choose what to do with one of the buttons."), status=422)


def _page(here: Here, refusal: ActionRefused | None = None) -> HttpResponse:
    context = {
        "management": queries.management(here.cluster),
        "given": here.request.POST,
        "findings": refusal.findings if refusal else (),
        "may_manage": here.actor.may("stand_down"),
    }
    return page(here, "management.html", context, status=refusal.status if refusal else 200)
