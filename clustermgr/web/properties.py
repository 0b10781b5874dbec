"""A cluster's properties: how live migrations are made. Rules and conflicts are the action's."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from clustermgr.actions.properties import change_cluster
from clustermgr.core.cluster_rules import FIELDS, LABELS
from clustermgr.core.findings import finding
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster
from clustermgr.web.fields import Choice, Sent, read
from clustermgr.web.http import Here, done, enter, page

HINTS = {
    "live_migrations_per_node": "How many may run at a time to or from one node; the others wait in line. "
    "More of them share the same network, and each takes longer.",
    "migration_bandwidth_mib_s": "Of each live migration; 0 is no limit. For those that begin from now on.",
    "allow_unsafe_migration": "libvirt refuses to move a running virtual machine whose disks lie in a plain "
    "directory, since it takes that for a local one.",
}
YES = (
    "Every node has the same directory, and libvirt does not check it. In one that is local, the disks of a "
    "moved virtual machine would be lost."
)
CHOICES: dict[str, tuple[Choice, ...]] = {
    "allow_unsafe_migration": (
        ("no", "No", "libvirt checks the storage of each live migration."),
        ("yes", "Yes", YES),
    )
}
UNITS = {"migration_bandwidth_mib_s": "MB a second"}
FRESH = Sent()


@require_http_methods(["GET", "HEAD", "POST"])
def properties(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug, "change_cluster")
    if request.method != "POST":
        return _form(here)
    base, given = read(request.POST, FIELDS)
    # A field that was not touched is no wish: it must not undo what somebody else did meanwhile.
    changes = {name: value for name, value in given.items() if value != base[name]}
    try:
        if not changes:
            raise ActionRefused(finding("nothing_changed"))
        change_cluster(actor=here.actor, cluster=here.cluster, changes=changes, base=base)
    except ActionRefused as refusal:
        return _form(here, Sent(given, base, refusal))
    return done(here, f"Properties of {here.cluster.name} were saved.", "properties")


def _form(here: Here, sent: Sent = FRESH) -> HttpResponse:
    row = Cluster.objects.get(pk=here.cluster.pk)
    context = {
        "fields": [_field(row, name, sent) for name in FIELDS],
        "errors": sent.errors,
        "findings": sent.findings,
        "managed": row.stood_down_at is None,
    }
    return page(here, "properties.html", context, status=sent.refusal.status if sent.refusal else 200)


def _field(row: Cluster, name: str, sent: Sent) -> dict[str, Any]:
    saved: Any = getattr(row, name)
    return sent.field(
        name,
        ("yes" if saved else "no") if isinstance(saved, bool) else str(saved),
        label=LABELS[name],
        hint=HINTS[name],
        kind="choice" if name in CHOICES else "number",
        choices=CHOICES.get(name, ()),
        unit=UNITS.get(name, ""),
    )
