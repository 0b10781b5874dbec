"""Every error in one shape: {"findings": [{code, sentence, field, params}], "operation": id or null}."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from clustermgr import logs
from clustermgr.core.findings import Finding, finding
from clustermgr.errors import ActionRefused, database_trouble

log = logging.getLogger(__name__)
MOST_FINDINGS = 20
EXTRA_HEADERS = {401: ("WWW-Authenticate", "Bearer"), 429: ("Retry-After", "60")}


class _Encoder(DjangoJSONEncoder):
    def default(self, o: object) -> object:
        try:
            return super().default(o)
        except TypeError:
            return str(o)


def answer(status: int, *findings: Finding, operation: int | None = None) -> HttpResponse:
    rows = [
        {"code": each.code, "sentence": each.sentence, "field": each.field, "params": dict(each.params)}
        for each in findings
    ]
    response = JsonResponse({"findings": rows, "operation": operation}, encoder=_Encoder, status=status)
    if status in EXTRA_HEADERS:
        name, value = EXTRA_HEADERS[status]
        response[name] = value
    return response


def install(api: NinjaAPI) -> None:
    handlers: dict[type[Exception], Any] = {
        ActionRefused: _refused,
        ValidationError: _invalid,
        HttpError: _unreadable,
        UnreadablePostError: _unreadable,
        RequestDataTooBig: _too_big,
        Http404: nothing_here,
        OperationalError: _database_gone,
        Exception: _broken,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def _refused(request: HttpRequest, error: ActionRefused) -> HttpResponse:
    return answer(error.status, *error.findings, operation=error.operation)


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return answer(422, *(_wrong_value(each) for each in error.errors[:MOST_FINDINGS]))


def _wrong_value(error: dict[str, object]) -> Finding:
    parts = error.get("loc")
    place = [str(part) for part in parts if part != "body"] if isinstance(parts, tuple | list) else []
    where = ".".join(place[1:] if place and place[0] in {"path", "query", "header"} else place) or "body"
    words = {"where": where[:100], "message": str(error.get("msg", "is wrong"))[:300]}
    return Finding("wrong_value", words, field=where[:100])


def _unreadable(request: HttpRequest, error: Exception) -> HttpResponse:
    return answer(400, finding("unreadable"))


def _too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return answer(413, finding("too_large"))


def nothing_here(request: HttpRequest, error: Exception | None = None) -> HttpResponse:
    return answer(404, finding("unknown_address"))


def wrong_method(request: HttpRequest, allowed: str) -> HttpResponse:
    response = answer(405, finding("wrong_method", method=(request.method or "?")[:20], allowed=allowed))
    response["Allow"] = allowed
    return response


def _database_gone(request: HttpRequest, error: OperationalError) -> HttpResponse:
    log.error("the database does not answer: %s", error)
    return answer(503, database_trouble(error))


def _broken(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return answer(500, finding("broken", request=logs.known("request")))
