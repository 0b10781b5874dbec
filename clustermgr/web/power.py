"""Power verbs: a dialog where they need one (GET), the order (POST)."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from clustermgr.access import Actor
from clustermgr.actions import vms
from clustermgr.actions.rights import require
from clustermgr.core.findings import field_finding, finding
from clustermgr.errors import ActionRefused
from clustermgr.models import Operation, Vm
from clustermgr.web.http import Here, enter, is_part, once, ordered, page
from clustermgr.web.move import CONFIRM
from clustermgr.web.verbs import BY_NAME, Verb, beforehand

ORDERS: dict[str, Callable[..., Operation]] = {
    "start": vms.start,
    "shut_down": vms.shut_down,
    "save": vms.save,
    "turn_off": vms.turn_off,
}
DONE = {
    "start": "Starting {vm} was ordered.",
    "shut_down": "Shutting {vm} down was ordered.",
    "save": "Saving {vm} was ordered.",
    "turn_off": "Turning {vm} off was ordered.",
}


@require_http_methods(["GET", "HEAD", "POST"])
def power(request: HttpRequest, slug: str, pk: int, name: str) -> HttpResponse:
    here = enter(request, slug)
    if name not in ORDERS:
        raise Http404(f"There is no order called “{name[:40]}”.")
    verb = BY_NAME[name]
    vm = here.vm(pk)
    require(here.actor, verb.verb, vm)
    if request.method != "POST":
        return _dialog(here, vm, verb)
    try:
        operation = once(here, lambda who: _order(here, who, vm, verb))
    except ActionRefused as refusal:
        if is_part(request) and request.htmx.target != "dialog-body":
            raise
        return _dialog(here, vm, verb, refusal)
    return ordered(here, operation, DONE[name].format(vm=vm.name))


def _order(here: Here, who: Actor, vm: Vm, verb: Verb) -> Operation:
    given = here.request.POST
    if verb.confirm == 2 and given.get("understood") != "1":
        raise ActionRefused(field_finding("understood", CONFIRM), status=422)
    options = {"forced": given.get("forced") == "1"} if verb.extra == "forced" else {}
    return ORDERS[verb.name](actor=who, vm=vm, **options)


def _dialog(here: Here, vm: Vm, verb: Verb, refusal: ActionRefused | None = None) -> HttpResponse:
    reason = beforehand(here, verb, vm)
    words = {"vm": vm.name, "node": vm.owner.name}
    context = {
        "vm": vm,
        "verb": verb,
        "heading": (verb.title or verb.label + " {vm}?").format(**words),
        "body": verb.body.format(**words),
        "refused": bool(reason),
        "findings": refusal.findings if refusal else [finding("field", message=reason)] if reason else (),
        "operation": refusal.operation if refusal else None,
    }
    return page(here, "dialogs/power.html", context, status=refusal.status if refusal else 200)
