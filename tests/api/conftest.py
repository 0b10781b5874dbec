"""Fixtures of the REST entrance: a small world, and callers that hold a token of a role."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from clustermgr.access import Actor, role_of
from clustermgr.actions import tokens
from clustermgr.api.auth import tries
from clustermgr.models import Membership
from tests import worlds

V1 = "/api/v1"


@pytest.fixture(autouse=True)
def _no_wrong_tries() -> Iterator[None]:
    tries.forget()
    yield
    tries.forget()


@pytest.fixture
def world(db: None) -> SimpleNamespace:
    """The usual cluster."""
    return SimpleNamespace(**vars(worlds.usual()), url=f"{V1}/clusters/c1")


def token_of(user: Any, role: str = "", name: str = "test", days: int = 30) -> str:
    actor = Actor(name=user.username, role=role_of(user), origin="test", user=user)
    return tokens.create(actor=actor, name=name, role=role or actor.role, days=days)[1]


class Caller:
    """A program: `call.get("/clusters")`. Each answer has `.status_code` and `.body`."""

    def __init__(self, secret: str | None) -> None:
        self.client = Client(raise_request_exception=True)
        self.headers = {"Authorization": f"Bearer {secret}"} if secret is not None else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = json.dumps(body) if body is not None and not isinstance(body, bytes | str) else body or ""
        answer = self.client.generic(
            method,
            path if path.startswith("/api") else V1 + path,
            content,
            content_type="application/json",
            headers={**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}},
        )
        answer.body = json.loads(answer.content) if answer.content else None
        return answer

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, body, **headers)


@pytest.fixture
def caller(db: None) -> Callable[[str], Caller]:
    """`caller("operator")`; "outsider" has an account without a role, "nobody" sends no token."""

    def make(role: str) -> Caller:
        if role == "nobody":
            return Caller(None)
        if role == "outsider":
            user = worlds.user("otto", "viewer")
            secret = token_of(user)
            Membership.objects.all().filter(user=user).delete()
            return Caller(secret)
        return Caller(token_of(worlds.user(role, role)))

    return make


@pytest.fixture
def admin(caller: Callable[[str], Caller]) -> Caller:
    return caller("administrator")
