"""Tasks, one task with its history, the migrations centre, and cancelling."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from clustermgr.actions import operations as actions
from clustermgr.actions.rights import require
from clustermgr.core.states import OperationState
from clustermgr.core.words import KINDS
from clustermgr.errors import ActionRefused
from clustermgr.queries import operations as queries
from clustermgr.queries.rows import operation_row
from clustermgr.web.http import enter, is_part, lazy, ordered, page
from clustermgr.web.words import TASKS

STATE_CHOICES = [(state.value, TASKS[state].word) for state in OperationState]


@require_safe
def tasks(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug)
    if request.GET.get("region") == "dock":
        return page(here, "tasks.html", {"brief": request.GET.get("brief") == "1"})
    wanted = queries.TaskFilter.read(request.GET, here.actor.name)
    found = lazy(queries.task_list, here.cluster, wanted)
    context = {"wanted": wanted, "found": found, "states": STATE_CHOICES, "kinds": KINDS.items()}
    return page(here, "tasks.html", {**context, "brief": True})


@require_safe
def migrations(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug)
    return page(here, "migrations.html", {"centre": lazy(queries.migrations, here.cluster), "brief": True})


@require_safe
def task(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug)
    found = here.operation(pk)
    context = {"operation": operation_row(found), "row": found, "events": queries.task_events(found)}
    return page(here, "task.html", {**context, "brief": True})


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug)
    found = here.operation(pk)
    require(here.actor, "cancel", found)
    context: dict[str, object] = {"operation": operation_row(found)}
    if request.method != "POST":
        return page(here, "dialogs/cancel.html", context)
    try:
        actions.cancel(actor=here.actor, operation=found)
    except ActionRefused as refusal:
        if is_part(request) and request.htmx.target != "dialog-body":
            raise
        context["findings"] = refusal.findings
        return page(here, "dialogs/cancel.html", context, status=refusal.status)
    return ordered(here, found, f"Cancelling “{KINDS[found.kind].lower()}” of {found.vm_name} was requested.")
