"""The browser, the API and the command line can do the same; a verb that one of them lacks fails here."""

from __future__ import annotations

from pathlib import Path

from clustermgr.access import VERBS
from clustermgr.api.urls import api
from clustermgr.cli.main import VERBS as WORDS
from clustermgr.web import verbs as web

DOCUMENT = api.get_openapi_schema(path_prefix="/api/v1/")
BY_API = {op["x-verb"] for methods in DOCUMENT["paths"].values() for op in methods.values()}
BY_COMMAND = {verb.right for verb in WORDS}
#: Rights that widen what a verb shows rather than open one of their own.
WIDENING = {"all_tokens"}


def test_every_right_has_a_route_and_a_command() -> None:
    assert set(VERBS) - WIDENING == BY_API
    assert set(VERBS) - WIDENING == BY_COMMAND


def test_what_the_actions_pane_offers_is_offered_to_programs() -> None:
    offered = {"refresh" if verb.name == "refresh" else verb.verb for verb in web.VERBS}
    assert offered <= BY_API
    assert offered <= BY_COMMAND


def test_each_order_takes_an_idempotency_key() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, details in methods.items():
            orders = method != "get"
            names = {each["name"] for each in details["parameters"]}
            assert ("Idempotency-Key" in names) == orders, f"{method} {path}"


def test_each_route_and_each_command_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
    for path, methods in DOCUMENT["paths"].items():
        for method in methods:
            route = f"`{method.upper()} {path.removeprefix('/api/v1')}`"
            assert route in text, route
    for verb in WORDS:
        assert f"`{verb.noun} {verb.name}" in text, f"{verb.noun} {verb.name}"
