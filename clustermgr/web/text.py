"""Text of requests: what no database column can hold is refused before any page reads it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, QueryDict

from clustermgr.web import errors

NUL = "\x00"
SENTENCES = (
    "What was sent has a character in it that is none (NUL), so nothing was changed.",
    "Type the text by hand instead of pasting it.",
)


class NoNulMiddleware:
    """PostgreSQL takes no NUL, in an address, a query or a form; SQLite would keep it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # The API has rules for each text of its own, and its bodies can be read only once.
        if not request.path.startswith("/api/") and _has_nul(request):
            return errors.answer(request, 400, sentences=SENTENCES)
        return self.get_response(request)


def _has_nul(request: HttpRequest) -> bool:
    return NUL in request.path or _in(request.GET) or _in(request.POST)


def _in(given: QueryDict) -> bool:
    return any(NUL in name or any(NUL in value for value in values) for name, values in given.lists())
