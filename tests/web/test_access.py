"""Every address with every role and with nobody. A new address without a line in the table fails."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse

ROLES = ("administrator", "operator", "viewer", "outsider", "nobody")
OPEN = dict.fromkeys(ROLES, True)
VIEW = {"administrator": True, "operator": True, "viewer": True}
OPERATE = {"administrator": True, "operator": True}
ADMINISTER = {"administrator": True}
#: A page that only takes orders answers 405 to whoever looks at it.
SIGNED_IN = {role: True for role in ROLES if role != "nobody"}

#: Name of the address -> who may GET it, who may POST to it (None: no POST there).
TABLE: dict[str, tuple[dict[str, bool], dict[str, bool] | None]] = {
    "chooser": (VIEW, None),
    "sign-in": (OPEN, OPEN),
    "sign-in-link": (OPEN, None),
    "sign-out": (OPEN, {role: True for role in ROLES if role != "nobody"}),
    "tokens": (VIEW, VIEW),
    "token-revoke": ({role: True for role in ROLES if role != "nobody"}, VIEW),
    "cluster-new": (ADMINISTER, ADMINISTER),
    "node-add": (ADMINISTER, ADMINISTER),
    "node-test": (ADMINISTER, None),
    "node-test-key": (SIGNED_IN, ADMINISTER),
    "node-test-use": (SIGNED_IN, ADMINISTER),
    "node-access": (ADMINISTER, ADMINISTER),
    "node-evict": (ADMINISTER, ADMINISTER),
    "overview": (VIEW, None),
    "roles": (VIEW, None),
    "role-by-name": (VIEW, None),
    "role": (VIEW, None),
    "role-configuration": (VIEW, None),
    "role-moves": (VIEW, None),
    "role-events": (VIEW, None),
    "settings": (ADMINISTER, ADMINISTER),
    "refresh": (VIEW, OPERATE),
    "move": (OPERATE, OPERATE),
    "power": (OPERATE, OPERATE),
    "remove": (ADMINISTER, ADMINISTER),
    "nodes": (VIEW, None),
    "node-by-name": (VIEW, None),
    "node": (VIEW, None),
    "storage": (VIEW, None),
    "volume-declare": (ADMINISTER, ADMINISTER),
    "networks": (VIEW, None),
    "migrations": (VIEW, None),
    "tasks": (VIEW, None),
    "task": (VIEW, None),
    "cancel": (OPERATE, OPERATE),
    "events": (VIEW, None),
    "event": (VIEW, None),
    "audit": (ADMINISTER, None),
    "management": (VIEW, ADMINISTER),
    "properties": (ADMINISTER, ADMINISTER),
    "live": (VIEW, None),
}
#: Opened by tokens or by the caller's address, never by a session: tests/api, tests/monitor.
ELSEWHERE = {"api-nothing", "metrics"}
#: Without a right a page answers 403; nobody is led to the sign-in page, a script is told 401.
REFUSED = {403}
NOBODY = {302, 401}


def names(resolver: URLResolver | None = None) -> Iterator[str]:
    for each in (resolver or get_resolver()).url_patterns:
        if isinstance(each, URLResolver):
            # The API's routes are walked with tokens: tests/api/test_access.py.
            yield from () if str(each.pattern) == "api/v1/" else names(each)
        elif isinstance(each, URLPattern):
            yield str(each.name)


def address(name: str, world: SimpleNamespace) -> str:
    slug, vm = world.c1.slug, world.web01.pk
    arguments: dict[str, list[Any]] = {
        "chooser": [],
        "sign-in": [],
        "sign-in-link": ["no-such-token"],
        "sign-out": [],
        "tokens": [],
        "token-revoke": [1],
        "role-by-name": [slug, "web01"],
        "node-by-name": [slug, "hv-01"],
        "power": [slug, vm, "start"],
        "cluster-new": [],
        "node": [slug, world.one.pk],
        **{name: [slug, world.test.pk] for name in ("node-test", "node-test-key", "node-test-use")},
        **{name: [slug, world.one.pk] for name in ("node-access", "node-evict")},
        "volume-declare": [slug, world.csv.pk],
        "task": [slug, world.task.pk],
        "cancel": [slug, world.task.pk],
        "event": [slug, world.event.pk],
    }
    of_a_role = name in {"role", "settings", "refresh", "move", "remove"} or name.startswith("role-")
    return reverse(name, args=arguments.get(name, [slug, vm] if of_a_role else [slug]))


def test_each_address_is_in_the_table() -> None:
    assert set(names()) - ELSEWHERE == set(TABLE)


@pytest.mark.parametrize("role", ROLES)
def test_who_may_look(role: str, world: SimpleNamespace, as_: Any) -> None:
    browser = as_(role)
    for name in (name for name in TABLE if name != "sign-in-link"):
        status = browser.get(address(name, world)).status_code
        allowed = {200, 302, 405} if TABLE[name][0].get(role) else NOBODY if role == "nobody" else REFUSED
        assert status in allowed, f"{role} {name}: {status}"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", [name for name, (_, order) in TABLE.items() if order is not None])
def test_who_may_order(name: str, role: str, world: SimpleNamespace, as_: Any) -> None:
    status = as_(role).post(address(name, world), {}).status_code
    if (TABLE[name][1] or {}).get(role):
        assert status not in {403, 405}
    else:
        assert status in (NOBODY if role == "nobody" else REFUSED)


@pytest.mark.parametrize("role", ROLES)
def test_nobody_orders_where_nothing_is_ordered(role: str, world: SimpleNamespace, as_: Any) -> None:
    browser = as_(role)
    for name in (name for name, (_, order) in TABLE.items() if order is None):
        status = browser.post(address(name, world), {}).status_code
        assert status in {405, *(NOBODY if role == "nobody" else ())}, f"{role} {name}: {status}"


@pytest.mark.parametrize("role", ["viewer", "outsider", "nobody"])
def test_an_order_without_the_right_leaves_no_trace(role: str, world: SimpleNamespace, as_: Any) -> None:
    browser = as_(role)
    for name, (_, allowed) in TABLE.items():
        if allowed is not None and name not in {"sign-in", "sign-out"}:
            browser.post(address(name, world), {"target": world.two.pk, "understood": "1"})
    assert list(world.c1.operations.values_list("pk", flat=True)) == [world.task.pk]
    world.task.refresh_from_db()
    assert world.task.state == "queued"


def test_the_pane_tells_a_viewer_why_nothing_can_be_ordered(world: SimpleNamespace, as_: Any) -> None:
    page = as_("viewer").get(address("role", world)).content.decode()
    assert "Your role (viewer) does not allow this." in page
    assert 'data-role="viewer"' in page
