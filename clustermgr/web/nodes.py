"""Nodes and what they share: volumes with each node's access, networks with each node's connection."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from clustermgr.models import Node
from clustermgr.queries import nodes as queries
from clustermgr.web.http import enter, lazy, page, to, wants_shared


@require_safe
def node_list(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug)
    return page(here, "nodes.html", {"nodes": lazy(queries.node_list, here.cluster)})


@require_safe
def node(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    here = enter(request, slug)
    if wants_shared(request):
        return page(here, "node.html")
    found = queries.node_detail(here.cluster, pk) or here.node(pk)
    console = settings.LAB_CONSOLE_URL if found.node.simulated else ""
    return page(here, "node.html", {"detail": found, "node": found.node, "console": console})


@require_safe
def node_by_name(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    here = enter(request, slug)
    found = Node.objects.filter(cluster=here.cluster, name__iexact=name).values_list("pk", flat=True).first()
    if found is None:
        raise Http404(f"There is no node called “{name[:60]}” in {here.cluster.name}.")
    return to(here, "node", found)


@require_safe
def storage(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug)
    return page(here, "storage.html", {"storage": lazy(queries.storage, here.cluster)})


@require_safe
def networks(request: HttpRequest, slug: str) -> HttpResponse:
    here = enter(request, slug)
    return page(here, "networks.html", {"networks": lazy(queries.networks, here.cluster)})
