"""The Move dialog: every node with its verdict; posting it orders a live or quick migration or a move."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from clustermgr.access import Actor
from clustermgr.actions import vms
from clustermgr.actions.rights import require
from clustermgr.core.findings import field_finding, finding
from clustermgr.core.states import OfflineAction, OperationKind
from clustermgr.core.words import KINDS, OFFLINE_ACTIONS
from clustermgr.errors import ActionRefused
from clustermgr.models import Node, Operation, Vm
from clustermgr.queries import verdicts
from clustermgr.queries.roles import whole
from clustermgr.web.http import Here, enter, once, ordered, page
from clustermgr.web.verbs import BY_NAME, beforehand

VERBS = {
    OperationKind.LIVE_MIGRATION: "live_migrate",
    OperationKind.QUICK_MIGRATION: "quick_migrate",
    OperationKind.MOVE: "move",
}
HINTS = {
    OperationKind.LIVE_MIGRATION: "Memory is copied while it runs; clients stay connected.",
    OperationKind.QUICK_MIGRATION: "Saved, then restored on the other node; a short stop.",
    OperationKind.MOVE: "Goes offline by its offline action, then online on the other node.",
}

DOING = {
    OperationKind.LIVE_MIGRATION: "Live migrate",
    OperationKind.QUICK_MIGRATION: "Quick migrate",
    OperationKind.MOVE: "Move",
}
NO_KIND = "A virtual machine is moved by live migration, quick migration or move. Nothing was ordered."
CONFIRM = "Tick the box to confirm that you have read the consequence."


@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug)
    vm = here.vm(pk)
    kind = _kind(request.POST.get("kind") or request.GET.get("kind", ""))
    if kind is None:
        raise ActionRefused(finding("field", message=NO_KIND), status=422)
    require(here.actor, VERBS[kind], vm)
    if request.method != "POST":
        return _dialog(here, vm, kind)
    try:
        operation = once(here, lambda who: _order(here, who, vm, kind))
    except ActionRefused as refusal:
        return _dialog(here, vm, kind, refusal)
    target = operation.target.name if operation.target else "the best node"
    return ordered(here, operation, f"{KINDS[kind]} of {vm.name} to {target} was ordered.")


def _kind(text: str) -> OperationKind | None:
    """What is asked for; an order that nobody here gives must not become another one."""
    return OperationKind(text or OperationKind.LIVE_MIGRATION) if text in {"", *VERBS} else None


def _order(here: Here, who: Actor, vm: Vm, kind: OperationKind) -> Operation:
    given = here.request.POST
    cut = kind == OperationKind.MOVE and given.get("offline_action") == OfflineAction.TURN_OFF
    if (cut or kind == OperationKind.QUICK_MIGRATION) and given.get("understood") != "1":
        raise ActionRefused(field_finding("understood", CONFIRM), status=422)
    target = _target(here, given.get("target", ""))
    if kind == OperationKind.LIVE_MIGRATION:
        return vms.live_migrate(actor=who, vm=vm, target=target)
    if kind == OperationKind.QUICK_MIGRATION:
        return vms.quick_migrate(actor=who, vm=vm, target=target)
    action = given.get("offline_action", "") or vm.offline_action
    if action not in list(OfflineAction):
        names = ", ".join(OFFLINE_ACTIONS.values())
        message = f"The offline action must be one of: {names}."
        raise ActionRefused(field_finding("offline_action", message), status=422)
    return vms.move(actor=who, vm=vm, target=target, offline_action=action)


def _target(here: Here, text: str) -> Node | None:
    """The chosen node; nothing chosen means the best one."""
    if not text:
        return None
    number = whole(text)
    found = Node.objects.filter(cluster=here.cluster, pk=number).first() if number else None
    if found is None:
        raise ActionRefused(finding("unknown_node", node=text[:60], cluster=here.cluster.name), status=422)
    return found


def _dialog(here: Here, vm: Vm, kind: OperationKind, refusal: ActionRefused | None = None) -> HttpResponse:
    rows = verdicts.for_move(vm, kind)
    chosen = whole(here.request.POST.get("target", "") or here.request.GET.get("target", ""))
    verb = BY_NAME[VERBS[kind]]
    reason = beforehand(here, verb, vm)
    open_rows = [row.node for row in rows if row.verdict != "no"]
    context: dict[str, Any] = {
        "vm": vm,
        "kind": kind,
        "kinds": [(each, KINDS[each], HINTS[each]) for each in VERBS],
        "doing": DOING[kind],
        "rows": rows,
        "chosen": chosen if chosen in open_rows else (open_rows[0] if open_rows else None),
        "verb": verb,
        "refused": bool(reason),
        "consequence": verb.consequence.format(vm=vm.name),
        "offline_actions": OFFLINE_ACTIONS.items(),
        "offline_action": here.request.POST.get("offline_action", "") or vm.offline_action,
        "findings": refusal.findings if refusal else [finding("field", message=reason)] if reason else (),
        "operation": refusal.operation if refusal else None,
    }
    return page(here, "dialogs/move.html", context, status=refusal.status if refusal else 200)
