"""Answers of the HTML entrance: full page or part, refusals, who asks, in which cluster. No pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.template import TemplateDoesNotExist
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject

from clustermgr import logs
from clustermgr.access import VERBS, Actor, role_of
from clustermgr.actions import repeats
from clustermgr.actions.rights import require
from clustermgr.core.findings import Finding, finding
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster, Node, Operation, Vm
from clustermgr.queries import find, health, shell
from clustermgr.queries.ages import age_of, heard_at
from clustermgr.web import errors

FRAME = "layouts/base.html"
PANES = "layouts/panes.html"
DIALOG = "layouts/dialog.html"
#: Regions that stand on every page, and the template that holds them.
SHARED = {"tree": "parts/_tree.html", "dock": "parts/_dock.html", "health": "parts/_health.html"}


LONGEST_KEY = 64
UNSAID = {"key", "csrfmiddlewaretoken"}


@dataclass(frozen=True, slots=True)
class Here:
    """Where a request acts: who asks, and in which cluster. Objects of other clusters do not exist here."""

    request: HttpRequest
    actor: Actor
    cluster: Cluster

    def vm(self, pk: int) -> Vm:
        found = Vm.objects.select_related("cluster", "owner", "volume").filter(cluster=self.cluster, pk=pk)
        return found.first() or self._missing(find.no_role(self.cluster, pk))

    def node(self, pk: int) -> Node:
        found = Node.objects.filter(cluster=self.cluster, pk=pk).first()
        return found or self._missing(finding("unknown_node", node=pk, cluster=self.cluster.name))

    def operation(self, pk: int) -> Operation:
        found = Operation.objects.select_related("cluster", "vm", "source", "target")
        return found.filter(cluster=self.cluster, pk=pk).first() or self._lost(f"There is no task {pk} here.")

    def url(self, name: str, *args: object) -> str:
        return reverse(name, args=[self.cluster.slug, *args])

    def _missing(self, found: Finding) -> Any:
        raise ActionRefused(found, status=404)

    def _lost(self, sentence: str) -> Any:
        raise Http404(sentence)


def actor(request: HttpRequest) -> Actor:
    """The person behind a request, for actions and the audit."""
    user = request.user
    address = request.META.get("REMOTE_ADDR") or "?"
    logs.note(user=user.get_username())
    return Actor(name=user.get_username(), role=role_of(user), origin=f"web {address}", user=user)


def sender(request: HttpRequest) -> Actor:
    """The same with the key of the form that was sent, for `repeats.once`."""
    who, key = actor(request), request.POST.get("key", "")[:LONGEST_KEY]
    return repeats.sent(who, key, request.path, *_said(request)) if key else who


def _said(request: HttpRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """All that a form says, but for what is new with each page."""
    fields = {name: values for name, values in request.POST.lists() if name not in UNSAID}
    files = {}
    for name, file in request.FILES.items():
        files[name] = hashlib.sha256(file.read()).hexdigest()
        file.seek(0)
    return fields, files


def enter(request: HttpRequest, slug: str, verb: str = "view") -> Here:
    """First line of every view in a cluster: 403 without the right, 404 for a cluster that is not there."""
    who = actor(request)
    logs.note(cluster=slug)
    cluster = shell.cluster_by_slug(slug)
    require(who, verb, cluster)
    if cluster is None:
        raise Http404(f"There is no cluster called “{slug[:60]}” here.")
    return Here(request, who, cluster)


def is_part(request: HttpRequest) -> bool:
    """Whether only a part of the page is wanted. Back and Forward want the whole."""
    return bool(request.htmx) and not request.htmx.history_restore_request


def wants_shared(request: HttpRequest) -> bool:
    """Whether only a region is wanted that stands on every page: nothing of the page itself is needed."""
    return is_part(request) and request.method == "GET" and request.GET.get("region", "") in SHARED


def page(here: Here, template: str, context: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    """The page; or one region of it, its panes, or its dialog, from the same template."""
    request = here.request
    found: dict[str, Any] = {
        "here": here,
        "cluster": here.cluster,
        "actor": here.actor,
        "may": {verb for verb in VERBS if here.actor.may(verb)},
        **(context or {}),
    }
    region = request.GET.get("region", "")
    if is_part(request) and region and request.method == "GET":
        return _region(here, template, region, found)
    if is_part(request) and request.htmx.target == "dialog-body":
        return render(request, template, {"layout": DIALOG, "in_dialog": True, **found}, status=status)
    frame = PANES if is_part(request) else FRAME
    return render(request, template, {"layout": frame, **_shell(here), **found}, status=status)


def lazy(query: Callable[..., Any], *arguments: Any) -> Any:
    """What a page shows, asked for when the template comes to it: the parts that stand on every page are
    fetched often, and need nothing of the page around them."""
    return SimpleLazyObject(partial(query, *arguments))


def _region(here: Here, template: str, region: str, found: dict[str, Any]) -> HttpResponse:
    if region in SHARED:
        return render(here.request, f"{SHARED[region]}#{region}", {**_shell(here), **found})
    try:
        return render(here.request, f"{template}#{region}", found)
    except TemplateDoesNotExist:
        raise Http404("This page has no such part.") from None


def _shell(here: Here) -> dict[str, Any]:
    dock = shell.dock(here.cluster)
    return {
        "dock": dock,
        "tree": shell.tree(here.cluster, dock),
        "not_running": health.not_running(here.cluster, untaken=dock.untaken),
        "disk_full": health.disk_full(),
        "age": age_of(heard_at(here.cluster)),
    }


def once(here: Here, act: Callable[[Actor], Operation]) -> Operation:
    """The operation that an order makes; of a form that was sent twice, the one that it made before."""
    who = sender(here.request)
    return repeats.once(who, lambda: act(who), lambda kept: kept.operation or here.operation(0))


def ordered(here: Here, operation: Operation, sentence: str) -> HttpResponse:
    """A command was accepted: 202 with dock and toast for htmx, else 303 to the task's page."""
    request = here.request
    if not is_part(request) or request.htmx.boosted:
        messages.success(request, sentence)
        return HttpResponseRedirect(here.url("task", operation.pk), status=303)
    context = {"here": here, "cluster": here.cluster, "dock": shell.dock(here.cluster), "sentence": sentence}
    answer = render(request, "parts/_ordered.html", {**context, "operation": operation}, status=202)
    answer["HX-Reswap"] = "none"
    answer["HX-Trigger"] = json.dumps({"ordered": {"operation": operation.pk, "vm": operation.vm_id}})
    return answer


def done(here: Here, sentence: str, name: str, *args: object) -> HttpResponse:
    """A change that needed no task: back to a page that shows it."""
    messages.success(here.request, sentence)
    return HttpResponseRedirect(here.url(name, *args), status=303)


def refused(request: HttpRequest, refusal: ActionRefused) -> HttpResponse:
    """A refusal that no form catches: dialog, toast or page, with every reason."""
    context = {"findings": refusal.findings, "status": refusal.status, "operation": refusal.operation}
    if not is_part(request):
        return errors.answer(request, refusal.status, sentences=[f.sentence for f in refusal.findings])
    if request.htmx.target == "dialog-body":
        return render(
            request,
            "dialogs/refused.html",
            {"layout": DIALOG, "in_dialog": True, **context},
            status=refusal.status,
        )
    answer = render(request, "parts/_refused_toast.html", context, status=refusal.status)
    answer["HX-Reswap"] = "none"
    return answer


class PaneHeadersMiddleware:
    """Caches keep pages and parts apart; a refusal or a database that is gone becomes its answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ["HX-Request", "HX-History-Restore-Request"])
            response["Cache-Control"] = "no-store"
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, ActionRefused):
            return refused(request, error)
        if isinstance(error, OperationalError):
            return errors.database_away(request, error)
        return None


def sign_in_again(request: HttpRequest) -> HttpResponse:
    """For a part asked for without a session: htmx goes to the sign-in page as a whole."""
    try:
        back = request.htmx.current_url_abs_path or "/"
    except ValueError:  # the header is no address
        back = "/"
    answer = HttpResponse(status=401)
    answer["HX-Redirect"] = f"{reverse('sign-in')}?{urlencode({'next': back})}"
    return answer


def to(here: Here, name: str, *args: object) -> HttpResponse:
    return redirect(here.url(name, *args))
