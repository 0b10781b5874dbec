"""`/metrics`: who may read it, and the answer. Closed unless a token or the caller's address opens it."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from clustermgr.api.auth import Bearer
from clustermgr.errors import ActionRefused
from clustermgr.monitor.exposition import Exposition
from clustermgr.queries.metrics import Figures, figures

guard = Bearer("view")


@never_cache
@require_safe
@login_not_required  # a session opens nothing here: the guard alone does
def metrics(request: HttpRequest) -> HttpResponse:
    if not _from_an_address_that_may(request):
        try:
            guard(request)
        except ActionRefused as refusal:
            return _closed(refusal)
        except DatabaseError:
            return HttpResponse("The database does not answer.\n", "text/plain", 503)
    return HttpResponse(generate_latest(Exposition(_figures())), CONTENT_TYPE_PLAIN_0_0_4)


def _figures() -> list[Figures] | None:
    """None without a database: what the process knows of itself is told all the same."""
    with suppress(DatabaseError):
        return figures()
    return None


def _from_an_address_that_may(request: HttpRequest) -> bool:
    try:
        address = ip_address(request.META.get("REMOTE_ADDR") or "")
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in settings.METRICS_FROM)


def _closed(refusal: ActionRefused) -> HttpResponse:
    text = " ".join(found.sentence for found in refusal.findings)
    answer = HttpResponse(f"{text}\n", "text/plain", refusal.status)
    if refusal.status == 401:
        answer["WWW-Authenticate"] = "Bearer"
    return answer
