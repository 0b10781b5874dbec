"""The outermost middleware of our own: gives each request its id, and counts it with its time."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from clustermgr import logs, meters
from clustermgr.ports import clock, new_id

HEADER = "X-Request-ID"
#: A proxy may have given the request its id already. Whatever else is sent there is not believed.
GIVEN = re.compile(r"[A-Za-z0-9-]{8,64}")


class RequestMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        number = given if GIVEN.fullmatch(given) else new_id()
        began = clock().monotonic()
        with logs.bound(request=number):
            response = self.get_response(request)
        response[HEADER] = number
        meters.answered(request.method, _route(request), response.status_code, clock().monotonic() - began)
        return response


def _route(request: HttpRequest) -> str:
    match = request.resolver_match
    return (match.view_name or "unnamed") if match else "none"
