"""/api/v1: the routes, the OpenAPI document, and JSON for whatever else is asked for below it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI

from clustermgr.api import clusters, errors, events, hosts, management, operations, orders, tokens, vms
from clustermgr.api.reading import StrictParser

DESCRIPTION = (
    "Everything that the console does, for programs. Send a token as “Authorization: Bearer …”. An order is "
    "answered at once with its operation; ask for that with `wait` until it has ended. Send an "
    "`Idempotency-Key` with an order, and repeating it does nothing twice. Virtual machines and nodes go by "
    "id, by name, or by `@name` where a name looks like a number."
)
ROOT = "/api/v1/"


class Api(NinjaAPI):
    def get_openapi_operation_id(self, operation: Any) -> str:
        """Short names, which a generated client turns into functions."""
        return str(operation.view_func.__name__)

    def get_root_path(self, path_params: Any) -> str:
        return ROOT


api = Api(
    title="Cluster manager",
    version="1",
    description=DESCRIPTION,
    docs_url=None,
    parser=StrictParser(),
)
assert management.router is clusters.router  # its routes are among the clusters' own
for part in (clusters, hosts, vms, orders, operations, events):
    api.add_router("/clusters", part.router)
api.add_router("/tokens", tokens.router)
api.add_router("/me", tokens.me)
errors.install(api)

View = Callable[..., HttpResponse]


def _entrance(view: View) -> View:
    """Tokens alone open this door: no session, no CSRF; and no cache keeps what came out."""

    @wraps(view, assigned=(), updated=())
    def entered(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        response = view(request, *args, **named)
        if response.status_code == 405:
            response = errors.wrong_method(request, response.get("Allow", ""))
        response["Cache-Control"] = "no-store"
        return response

    return csrf_exempt(login_not_required(entered))


def _nothing(request: HttpRequest, **named: Any) -> HttpResponse:
    return errors.nothing_here(request)


def _patterns() -> list[URLPattern]:
    found: list[URLPattern] = [each for each in api.urls[0] if each.name != "api-root"]
    for each in found:
        each.callback = _entrance(each.callback)
    return found


#: Whatever is below /api and is none of the routes.
nothing = _entrance(_nothing)
urlpatterns = _patterns()
