"""Refresh configuration: the cluster's copy, the host's and what runs, by field; accepting the host's."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from clustermgr.actions import drift as actions
from clustermgr.actions.rights import require
from clustermgr.core.drift import FIELDS, OTHER, Bucket, text
from clustermgr.core.findings import finding
from clustermgr.errors import ActionRefused
from clustermgr.models import Vm
from clustermgr.queries.rows import vm_rows
from clustermgr.web.http import Here, done, enter, page

BUCKETS = {
    Bucket.CHANGED_OUTSIDE: "Changed on the host",
    Bucket.RESTART_PENDING: "At next start",
    Bucket.CONFLICT: "All three differ",
}


@require_http_methods(["GET", "HEAD", "POST"])
def refresh(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug)
    vm = here.vm(pk)
    if request.method != "POST":
        return _page(here, vm)
    require(here.actor, "refresh", vm)
    try:
        fields = _accept(here, vm)
    except ActionRefused as refusal:
        return _page(here, vm, refusal)
    return done(here, f"Accepted into the cluster's copy of {vm.name}: {fields}.", "role", vm.pk)


def _accept(here: Here, vm: Vm) -> str:
    given = here.request.POST
    fingerprint = given.get("fingerprint", "")[:64]
    if given.get("all") == "1":
        actions.accept(actor=here.actor, vm=vm, fingerprint=fingerprint, fields=None)
        return "every field"
    chosen = [name for name in FIELDS if given.get(f"keep-{name}") == "host"]
    if not chosen:
        text = "No field was chosen. Choose “Host” for each field that the cluster's copy should take over."
        raise ActionRefused(finding("field", message=text), status=422)
    actions.accept(actor=here.actor, vm=vm, fingerprint=fingerprint, fields=chosen)
    return ", ".join(FIELDS[name].lower() for name in chosen)


def _page(here: Here, vm: Vm, refusal: ActionRefused | None = None) -> HttpResponse:
    vm.refresh_from_db()
    drift = getattr(vm, "drift", None)
    rows = [_row(each, here.request.POST) for each in drift.fields] if drift else []
    context: dict[str, Any] = {
        "vm": vm,
        "role": vm_rows([vm.pk])[0],
        "drift": drift,
        "rows": rows,
        "pending_only": all(row["bucket"] == Bucket.RESTART_PENDING for row in rows),
        "findings": refusal.findings if refusal else (),
        "operation": refusal.operation if refusal else None,
        "may_refresh": here.actor.may("refresh"),
        "refusal": finding("no_drift", vm=vm.name).sentence,
    }
    return page(here, "refresh.html", context, status=refusal.status if refusal else 200)


def _row(each: dict[str, Any], given: Any) -> dict[str, Any]:
    """One field: `mine`, `host` and `running` in words, which of them stand out, and what is chosen."""
    name, bucket = str(each.get("field", "")), str(each.get("bucket", Bucket.CHANGED_OUTSIDE))
    ours, theirs, now = each.get("cluster"), each.get("host"), each.get("running")
    return {
        "field": name,
        "label": FIELDS.get(name, name),
        "mine": text(name, ours),
        "host": text(name, theirs),
        "running": text(name, now),
        "host_changed": ours != theirs or name == OTHER,
        "running_differs": now is not None and now != theirs,
        "bucket": bucket,
        "bucket_word": BUCKETS.get(Bucket(bucket), "") if bucket in list(Bucket) else "",
        "choosable": bucket != Bucket.RESTART_PENDING,
        # Where all three differ nothing is preset: that row must be decided (ui.md 2.10).
        "choice": given.get(f"keep-{name}") or ("host" if bucket == Bucket.CHANGED_OUTSIDE else ""),
    }
