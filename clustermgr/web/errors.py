"""Pages for what went wrong. They use neither database nor session: those may be what is gone."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from clustermgr import logs
from clustermgr.errors import database_trouble

TITLES = {
    400: "The request could not be read",
    403: "Not allowed",
    404: "Not found",
    409: "Not possible now",
    413: "Too large",
    423: "Held by another task",
    500: "Something broke here",
    503: "The database cannot be used",
}
UNHARMED = "The cluster is not affected: virtual machines keep running where they are."
GONE = "Start the database, or look at DATABASE_URL and the console's log; then load this page again."


def answer(request: HttpRequest, status: int, *, sentences: Sequence[str]) -> HttpResponse:
    """An error page that says what, why and what to do."""
    if request.path.startswith("/api/"):
        return _for_programs(status, sentences)
    title = TITLES.get(status, "This did not work")
    context = {"status": status, "title": title, "sentences": sentences, "path": request.path[:200]}
    part = request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request")
    template = "parts/_error_toast.html" if part else "error.html"
    response = HttpResponse(render_to_string(template, context), status=status)
    if part:
        response["HX-Reswap"] = "none"
    return response


def database_away(request: HttpRequest, error: OperationalError) -> HttpResponse:
    """Gone, held by somebody else, or without room: which, and what to do."""
    found = database_trouble(error)
    more = [GONE] if found.code == "database_gone" else []
    return answer(request, 503, sentences=[found.sentence, UNHARMED, *more])


def _for_programs(status: int, sentences: Sequence[str]) -> HttpResponse:
    """What went wrong outside the API's own routes, in the shape of its errors."""
    found = {"code": "page_error", "sentence": " ".join(sentences), "field": "", "params": {}}
    return JsonResponse({"findings": [found], "operation": None}, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return answer(
        request,
        403,
        sentences=[
            "This form was not sent from a fresh page of this console, so nothing was changed.",
            "Load the page again and repeat the order. Cookies must be allowed.",
        ],
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        text = "What was sent is larger than 1 MB, the most that a form takes. Nothing was changed."
        return answer(request, 413, sentences=[text])
    if isinstance(exception, TooManyFieldsSent):
        text = "The form has more fields than any form here. Nothing was changed."
        return answer(request, 400, sentences=[text])
    text = "The server could not make sense of this request. Nothing was changed. Load the page again."
    return answer(request, 400, sentences=[text])


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, 403, sentences=[str(exception) or "Your role does not reach this page."])


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    text = exception.args[0] if exception.args and isinstance(exception.args[0], str) else ""
    return answer(request, 404, sentences=[text or "There is no such page here. It may have been removed."])


def broken(request: HttpRequest) -> HttpResponse:
    # Middleware may meet the dead database before a view does; Django then comes here.
    if isinstance(error := sys.exc_info()[1], OperationalError):
        return database_away(request, error)
    return answer(
        request,
        500,
        sentences=[
            "The console met an error of its own. Whether your order was taken stands in Tasks.",
            f"The cause is in the console's log, at request {logs.known('request')}. {UNHARMED}",
        ],
    )
