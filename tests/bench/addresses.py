"""Every address that answers a GET, filled in with rows that exist: pages, their panes and dialogs, the parts
that pages fetch for themselves, and the API. A new address is found by itself."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

HTMX = {"HX-Request": "true"}
#: Not pages of a cluster: signing in and out is about passwords, the rest answers without a page.
LEFT_OUT = {
    "sign-in",
    "sign-in-link",
    "sign-out",
    "token-revoke",
    "api-nothing",
    "role-by-name",
    "node-by-name",
}
DIALOGS = {"move", "power", "cancel", "remove"}
#: Query strings of lists that make the database work.
LISTS = {
    "roles": (
        "",
        "?q=1",
        "?sort=-cpu",
        "?sort=owner&offset=100",
        "?state=running",
        "?drift=1",
        "?attention=1",
    ),
    "events": ("", "?q=added", "?level=warning"),
    "tasks": ("", "?q=1", "?state=succeeded"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """`name` says what it is: "roles", "roles #tree", "api listVms"."""

    name: str
    path: str
    headers: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def of_the_api(self) -> bool:
        return self.path.startswith("/api/")


@dataclass(frozen=True, slots=True)
class Rows:
    """Ids of rows that exist; `drifted`: a VM, too."""

    slug: str
    vm: int
    node: int
    operation: int | None
    event: int


def pages(rows: Rows) -> Iterator[Address]:
    """Each page, its panes alone as htmx asks for them, and dialogs."""
    for name, route, arguments in names():
        path = _path(name, route, arguments, rows)
        if path is None:
            continue
        if name in DIALOGS:
            yield Address(f"{name} dialog", path, {**HTMX, "HX-Target": "dialog-body"})
            continue
        for query in LISTS.get(name, ("",)):
            yield Address(f"{name}{query}", path + query)
        if "slug" in arguments and name != "live":
            yield Address(f"{name} panes", path, HTMX)
    roles = reverse("roles", args=[rows.slug])
    yield Address("roles selection", f"{roles}?sel={rows.vm}&region=selection", HTMX)


def parts(page: Address, text: str) -> Iterator[Address]:
    """The regions that this page fetches for itself."""
    for tag in re.findall(r"<[^>]*\bdata-region\b[^>]*>", text):
        found, url = re.search(r'\bid="([^"]+)"', tag), re.search(r'\bdata-url="([^"]+)"', tag)
        if found and url:
            name = f"{page.name} #{found[1]}"
            yield Address(name, html.unescape(url[1]), {**HTMX, "HX-Target": found[1]})


def api(rows: Rows) -> Iterator[Address]:
    """Every GET of the API's document."""
    from clustermgr.api.urls import api as document

    words = {
        "cluster": rows.slug,
        "vm": rows.vm,
        "node": rows.node,
        "operation": rows.operation,
        "event": rows.event,
    }
    for path, methods in document.get_openapi_schema(path_prefix="/api/v1/")["paths"].items():
        needed = re.findall(r"{(\w+)}", path)
        if "get" in methods and all(words.get(name) is not None for name in needed):
            yield Address(f"api {methods['get']['operationId']}", path.format(**words))


def everything(rows: Rows, read: Callable[[Address], str]) -> list[Address]:
    """`read` answers the text of a page, in which its parts are found. Each path once."""
    found: list[Address] = []
    for page in pages(rows):
        found.append(page)
        if not page.headers:
            found += parts(page, read(page))
    return _once([*found, *api(rows)])


def _once(found: Iterable[Address]) -> list[Address]:
    known: dict[tuple[Any, ...], Address] = {}
    for each in found:
        known.setdefault((each.path, bool(each.headers)), each)
    return list(known.values())


def names(resolver: URLResolver | None = None) -> Iterator[tuple[str, str, list[str]]]:
    """Name, route and arguments of each address outside the API."""
    for each in (resolver or get_resolver()).url_patterns:
        if isinstance(each, URLResolver):
            yield from () if str(each.pattern) == "api/v1/" else names(each)
        elif isinstance(each, URLPattern) and each.name and each.name not in LEFT_OUT:
            yield each.name, str(each.pattern), list(each.pattern.converters)


def _path(name: str, route: str, arguments: list[str], rows: Rows) -> str | None:
    """None where no row stands for one of its arguments."""
    pk = {"nodes/": rows.node, "roles/": rows.vm, "tasks/": rows.operation, "events/": rows.event}
    known: dict[str, Any] = {
        "slug": rows.slug,
        "pk": next((number for place, number in pk.items() if place in route), None),
        "name": "shut_down",
    }
    values = [known.get(argument) for argument in arguments]
    return None if None in values else reverse(name, args=values)
