"""Who ordered what, and the answer. For administrators."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from clustermgr.queries import events as queries
from clustermgr.queries.roles import whole
from clustermgr.web.http import enter, page


@require_safe
def audit(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug, "view_audit")
    q = request.GET.get("q", "").strip()[:100]
    refused = request.GET.get("refused") == "1"
    found = queries.audit_list(here.cluster, q, refused, whole(request.GET.get("before", "")))
    return page(here, "audit.html", {"found": found, "q": q, "refused": refused})
