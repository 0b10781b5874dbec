"""The roles list with its detail pane, and a role's own pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from clustermgr.core.states import VmState
from clustermgr.models import Vm
from clustermgr.queries import roles as queries
from clustermgr.web import verbs
from clustermgr.web.http import Here, enter, lazy, page, to, wants_shared
from clustermgr.web.words import STATES

TABS = {"summary": "Summary", "configuration": "Configuration", "moves": "Moves", "events": "Events"}
#: How many of the newest moves and events each tab shows, in the pane and on the full page.
PANE = {"moves": (10, 0), "events": (0, 10)}
FULL = {"summary": (5, 5), "moves": (100, 0), "events": (0, 100)}
STATE_CHOICES = [(state.value, STATES[state].word) for state in VmState]
COLUMNS = (
    ("name", "Name", ""),
    ("state", "Status", ""),
    ("owner", "Owner node", ""),
    ("cpu", "CPU", "num"),
    ("memory", "Memory", "num"),
    ("priority", "Priority", ""),
    ("uptime", "Up time", "num"),
    ("", "Information", ""),
)


@require_safe
def role_list(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug)
    wanted = queries.RoleFilter.read(request.GET)
    region = request.GET.get("region", "")
    context: dict[str, Any] = {"wanted": wanted, "columns": COLUMNS, "states": STATE_CHOICES}
    if region not in {"selection", "role-detail", "actions"}:
        context["found"] = lazy(queries.role_list, here.cluster, wanted)
        context["joining"] = lazy(queries.joining, here.cluster)
    selected = queries.whole(request.GET.get("sel", ""))
    if selected:
        context |= detail(here, selected, request.GET.get("tab", ""), PANE)
    return page(here, "roles.html", context)


def detail(here: Here, pk: int, tab: str, shown: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """What the detail pane and the actions pane show of one role; nothing for one that is gone."""
    tab = tab if tab in TABS else "summary"
    moves, events = shown.get(tab, (0, 0))
    role = queries.role_detail(here.cluster, pk, moves=moves, events=events)
    if role is None:
        return {}
    return {
        "role": role,
        "vm": role.vm,
        "tab": tab,
        "tabs": TABS,
        "offers": verbs.offers(here, role.vm, role.node_state),
    }


@require_safe
def role(request: HttpRequest, slug: str, pk: int, tab: str = "summary") -> HttpResponse:
    here = enter(request, slug)
    if wants_shared(request):
        return page(here, "role.html")
    context = detail(here, pk, tab, FULL)
    if not context:
        here.vm(pk)  # raises with the sentence for one that is not here
        raise Http404
    return page(here, "role.html", context)


@require_safe
def role_by_name(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Names change, so they only lead to the address by id."""
    here = enter(request, slug)
    found = Vm.objects.filter(cluster=here.cluster, name__iexact=name).values_list("pk", flat=True).first()
    if found is None:
        raise Http404(f"There is no virtual machine called “{name[:100]}” in {here.cluster.name}.")
    return to(here, "role", found)
