"""Hosts in the console: clusters made, hosts tested and added as nodes, reached in another way, evicted."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clustermgr.access import Actor
from clustermgr.actions import candidates, clusters, nodes, repeats
from clustermgr.actions.candidates import Wish
from clustermgr.actions.rights import require
from clustermgr.core.findings import Finding
from clustermgr.errors import ActionRefused
from clustermgr.models import Candidate, Node
from clustermgr.queries import hosts as queries
from clustermgr.queries.membership import in_the_way
from clustermgr.queries.roles import whole
from clustermgr.web.http import Here, actor, done, enter, is_part, page, sender, to

#: How to sign in -> the fields that count with it; the others are not even read.
WAYS: dict[str, tuple[str, ...]] = {
    "own": (),
    "keep": (),
    "ssh_key": ("ssh_key",),
    "ssh_file": ("ssh_key_file",),
    "tls": ("tls_ca", "tls_cert", "tls_key"),
    "tls_folder": ("tls_folder",),
}
STEPS = ((1, "Address and sign-in"), (2, "Test"), (3, "Result"))
SHOWN = ("name", "address", "migration_address", "ssh_key_file", "tls_folder", "host_key")
LONGEST = 1000
READ = 64 * 1024


@require_http_methods(["GET", "HEAD", "POST"])
def create_cluster(request: HttpRequest) -> HttpResponse:
    who = actor(request)
    require(who, "create_cluster")
    given = ""
    found: tuple[Finding, ...] = ()
    if request.method == "POST":
        given = request.POST.get("name", "")[:200]
        try:
            return redirect("nodes", _create_cluster(sender(request), given))
        except ActionRefused as refusal:
            found = tuple(refusal.findings)
    status = 422 if found else 200
    return render(request, "cluster_new.html", {"given": given, "findings": found}, status=status)


def _create_cluster(who: Actor, name: str) -> str:
    return repeats.once(
        who,
        lambda: clusters.create_cluster(actor=who, name=name).slug,
        lambda kept: kept.cluster.slug if kept.cluster else "gone",
    )


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def add_node(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug, "test_connection")
    before = _before(here)
    if request.method != "POST":
        return _form(here, None, before, _first(before))
    return _begin(here, None, before)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def change_access(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug, "change_access")
    node = Node.objects.select_related("access").filter(cluster=here.cluster, pk=pk).first() or here.node(pk)
    before = _before(here)
    if request.method != "POST":
        return _form(here, node, before, _first(before or node))
    return _begin(here, node, before)


@require_safe
def test(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug, "test_connection")
    return _trial(here, queries.candidate(here.cluster, pk))


@require_POST
def confirm_host_key(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug, "test_connection")
    row = queries.candidate(here.cluster, pk)
    try:
        shown = request.POST.get("fingerprint", "")[:100]
        candidates.confirm_host_key(actor=here.actor, candidate=row, fingerprint=shown)
    except ActionRefused as refusal:
        return _trial(here, row, refusal)
    return HttpResponseRedirect(here.url("node-test", pk), status=303)


@require_POST
def use(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The last step: the tested host becomes a node, or its way in the node's."""
    here = enter(request, slug, "add_node")
    row = queries.candidate(here.cluster, pk)
    try:
        if row.node is not None and row.state != "used":
            node = nodes.change_access(actor=here.actor, node=row.node, candidate=row)
            return done(here, f"{node.name} is reached at {node.address} from now on.", "node", node.pk)
        node = nodes.add(actor=here.actor, candidate=row)
    except ActionRefused as refusal:
        return _trial(here, row, refusal)
    return done(here, f"{node.name} was added. It is up as soon as it was read.", "node", node.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def evict(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug, "evict_node")
    node = here.node(pk)
    if request.method != "POST":
        return _evict_dialog(here, node, tuple(in_the_way(node)), 200)
    try:
        nodes.evict(actor=here.actor, node=node, typed=request.POST.get("typed", "")[:200])
    except ActionRefused as refusal:
        return _evict_dialog(here, node, tuple(refusal.findings), refusal.status)
    sentence = f"{node.name} was evicted. Its host was left as it is."
    if not is_part(request) or request.htmx.boosted:
        return done(here, sentence, "nodes")
    messages.success(request, sentence)
    return HttpResponse(status=204, headers={"HX-Redirect": here.url("nodes")})


def _evict_dialog(here: Here, node: Node, found: tuple[Any, ...], status: int) -> HttpResponse:
    typed = [each for each in found if each.field == "typed"]
    context = {"node": node, "findings": found, "blocked": bool(found) and not typed}
    return page(here, "dialogs/evict.html", context, status=status)


def _begin(here: Here, node: Node | None, before: Candidate | None) -> HttpResponse:
    given = here.request.POST
    way = given.get("sign_in", "own")
    wish = Wish(
        name=given.get("name", "")[:LONGEST],
        address=given.get("address", "")[:LONGEST],
        migration_address=given.get("migration_address", "")[:LONGEST],
        secrets={name: _text(here.request, name) for name in WAYS.get(way, ())},
        keep=way == "keep",
        before=before,
        expected=given.get("host_key", "")[:LONGEST],
        unprotected=given.get("unprotected") == "1",
    )
    try:
        who = sender(here.request)
        number = repeats.once(
            who,
            lambda: candidates.begin(actor=who, cluster=here.cluster, wish=wish, node=node).pk,
            lambda kept: kept.made or 0,
        )
    except ActionRefused as refusal:
        shown = {name: given.get(name, "")[:LONGEST] for name in SHOWN}
        shown |= {"sign_in": way, "unprotected": given.get("unprotected", "")}
        return _form(here, node, before, shown, refusal)
    return HttpResponseRedirect(here.url("node-test", number), status=303)


def _text(request: HttpRequest, name: str) -> str:
    """A text from its file, else from its field. What is no text becomes one that is refused by its rule."""
    file = request.FILES.get(f"{name}_file") if not name.endswith("_file") else None
    if file is not None and file.size:
        return bytes(file.read(READ)).decode("utf-8", "replace")
    return str(request.POST.get(name, ""))


def _before(here: Here) -> Candidate | None:
    """The test that the form goes on from, while it is kept."""
    pk = whole(here.request.GET.get("from", ""))
    found = Candidate.objects.filter(cluster=here.cluster, pk=pk).exclude(state="used") if pk else None
    return found.first() if found is not None else None


def _first(known: Candidate | Node | None) -> dict[str, str]:
    """What the fresh form holds."""
    if known is None:
        return {"sign_in": "own"}
    has = known if isinstance(known, Candidate) else getattr(known, "access", None)
    way = "keep" if has is not None and has.credentials else "own"
    return {
        "name": known.name,
        "address": known.address,
        "migration_address": known.migration_address,
        "sign_in": way,
    }


def _form(
    here: Here,
    node: Node | None,
    before: Candidate | None,
    given: dict[str, str],
    refusal: ActionRefused | None = None,
) -> HttpResponse:
    has = before or (getattr(node, "access", None) if node is not None else None)
    found = refusal.findings if refusal else ()
    context = {
        "steps": STEPS,
        "node": node,
        "before": before,
        "given": given,
        "kept": has.means if has is not None and has.credentials else "",
        "errors": {each.field: each.sentence for each in found if each.field},
        "findings": [each for each in found if not each.field],
    }
    return page(here, "node_form.html", context, status=refusal.status if refusal else 200)


def _trial(here: Here, row: Candidate, refusal: ActionRefused | None = None) -> HttpResponse:
    if row.state == "used" and row.node_id:
        return to(here, "node", row.node_id)
    found = refusal.findings if refusal else ()
    context = {"steps": STEPS, "trial": queries.trial(row), "findings": found}
    return page(here, "node_test.html", context, status=refusal.status if refusal else 200)
