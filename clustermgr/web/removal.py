"""Removing a role from the cluster: a dialog that says what stays and what goes, and wants its name."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from clustermgr.actions.removal import remove_role
from clustermgr.core.findings import Finding, finding
from clustermgr.core.health import SILENT_STATES
from clustermgr.core.words import state_word
from clustermgr.errors import ActionRefused
from clustermgr.models import Vm
from clustermgr.queries.membership import keeps_role, possible_nodes, saved_memory
from clustermgr.web.http import Here, enter, is_part, once, ordered, page


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug, "remove_role")
    vm = here.vm(pk)
    if request.method != "POST":
        return _dialog(here, vm)
    try:
        typed = request.POST.get("typed", "")[:200]
        operation = once(here, lambda who: remove_role(actor=who, vm=vm, typed=typed))
    except ActionRefused as refusal:
        return _dialog(here, vm, refusal)
    sentence = f"Removing {vm.name} from {here.cluster.name} was ordered."
    if _from_its_own_page(here, vm):
        messages.success(request, sentence)
        return HttpResponse(status=204, headers={"HX-Redirect": here.url("roles")})
    return ordered(here, operation, sentence)


def _from_its_own_page(here: Here, vm: Vm) -> bool:
    """The page below the dialog is that of the role, which goes."""
    if not is_part(here.request) or here.request.htmx.boosted:
        return False
    return (here.request.htmx.current_url_abs_path or "").startswith(here.url("role", vm.pk))


def _dialog(here: Here, vm: Vm, refusal: ActionRefused | None = None) -> HttpResponse:
    found = refusal.findings if refusal else _against(here, vm)
    silent = [
        (node.name, state_word(node.state)) for node in possible_nodes(vm) if node.state in SILENT_STATES
    ]
    context = {
        "vm": vm,
        "state": state_word(vm.state),
        "silent": silent,
        "owner_silent": vm.owner.state in SILENT_STATES,
        "saved": vm.saved_file if saved_memory(vm) else "",
        "findings": found,
        "operation": refusal.operation if refusal else None,
        "blocked": any(each.field != "typed" for each in found),
    }
    return page(here, "dialogs/remove.html", context, status=refusal.status if refusal else 200)


def _against(here: Here, vm: Vm) -> list[Finding]:
    down = here.cluster.stood_down_at is not None
    words = {"cluster": here.cluster.name, "reason": here.cluster.stood_down_reason}
    return [finding("stood_down", **words)] if down else keeps_role(vm)
