"""Fixtures of the HTML entrance: a small world, and browsers that are signed in."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from tests import worlds

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def _plain_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def world(db: None) -> SimpleNamespace:
    """The usual cluster."""
    return SimpleNamespace(**vars(worlds.usual()), url="/c/c1/")


@pytest.fixture
def as_(db: None) -> Callable[[str], Client]:
    """`as_("operator")`: a browser of that role; "outsider" has none, "nobody" is not signed in."""

    def browser(role: str, **options: Any) -> Client:
        client = Client(**options)
        if role != "nobody":
            maker = {"administrator": worlds.admin}.get(role) or getattr(worlds, role)
            client.force_login(maker(), backend=MODEL_BACKEND)
        return client

    return browser


@pytest.fixture
def ana(as_: Callable[[str], Client]) -> Client:
    """The administrator's browser."""
    return as_("administrator")
