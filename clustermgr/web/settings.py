"""The settings form of a role. Rules and conflicts are the action's; this shows them field by field."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from clustermgr.actions import repeats
from clustermgr.actions.rights import require
from clustermgr.actions.settings import change_settings
from clustermgr.core.settings_rules import FIELDS, HOST_FIELDS, LABELS
from clustermgr.core.states import VmState
from clustermgr.core.words import OFFLINE_ACTIONS
from clustermgr.errors import ActionRefused
from clustermgr.models import Operation, Vm
from clustermgr.queries.roles import whole
from clustermgr.queries.rows import vm_rows
from clustermgr.web.fields import Sent, read
from clustermgr.web.http import Here, done, enter, ordered, page, sender
from clustermgr.web.words import PRIORITIES

HINTS = {
    "memory_mib": "In MB, a multiple of 2, at least 32.",
    "vcpus": "Virtual processors.",
    "notes": "Up to 8 kB of text. They go with the virtual machine.",
    "offline_action": "What happens when the role is moved or taken offline. It does not touch live or quick "
    "migration, nor an unplanned failover.",
    "priority": "The order in which roles are started and moved.",
}
FRESH = Sent()
ACTION_HINTS = {"turn_off": "Like pulling the plug: data loss may occur."}


@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug)
    vm = here.vm(pk)
    require(here.actor, "change_settings", vm)
    if request.method != "POST":
        return _form(here, vm)
    base, given = read(request.POST, FIELDS)
    try:
        operation = _order(request, vm, base, given)
    except ActionRefused as refusal:
        return _form(here, vm, Sent(given, base, refusal))
    if operation is None:
        return done(here, f"Settings of {vm.name} were saved.", "role", vm.pk)
    return ordered(here, operation, f"The new settings of {vm.name} are being applied.")


def _order(request: HttpRequest, vm: Vm, base: dict[str, str], given: dict[str, str]) -> Operation | None:
    # A field that was not touched is no wish: it must not undo what somebody else did meanwhile.
    changes = {name: value for name, value in given.items() if value != base[name]}
    version, who = whole(request.POST.get("version", "")) or 0, sender(request)
    return repeats.once(
        who,
        lambda: change_settings(actor=who, vm=vm, version=version, changes=changes, base=base),
        lambda kept: kept.operation,
    )


def _form(here: Here, vm: Vm, sent: Sent = FRESH) -> HttpResponse:
    vm.refresh_from_db()
    role = vm_rows([vm.pk])[0]
    context: dict[str, Any] = {
        "vm": vm,
        "role": role,
        "fields": [_field(vm, name, sent) for name in FIELDS],
        "version": vm.config_version,
        "stale": sent.stale,
        "errors": sent.errors,
        "findings": sent.findings,
        "operation": sent.refusal.operation if sent.refusal else None,
        "held": role.operation,
    }
    return page(here, "settings.html", context, status=sent.refusal.status if sent.refusal else 200)


def _field(vm: Vm, name: str, sent: Sent) -> dict[str, Any]:
    return sent.field(
        name,
        str(getattr(vm, name)),
        label=LABELS[name],
        hint=HINTS[name],
        choices=_choices(name),
        kind="choice" if _choices(name) else "text" if name == "notes" else "number",
        unit="MB" if name == "memory_mib" else "",
        when=_when(vm, name),
    )


def _choices(name: str) -> list[tuple[str, str, str]]:
    table = {"offline_action": OFFLINE_ACTIONS, "priority": PRIORITIES}.get(name, {})
    return [(str(key), word, ACTION_HINTS.get(str(key), "")) for key, word in table.items()]


def _when(vm: Vm, name: str) -> str:
    """What the host will say, as far as is known before: off means now."""
    if name not in HOST_FIELDS or name == "notes" or vm.state in (VmState.OFF, VmState.FAILED):
        return ""
    if vm.state == VmState.SAVED:
        return "A saved machine is restored as it was; applies at its next cold start."
    return "Applies now where the host can do it while the machine runs, else at its next start."
