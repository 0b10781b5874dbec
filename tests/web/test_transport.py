"""Which names are good, and who is sent on to TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from clustermgr.supervisor import installation, names

NAMED = {"HOST": "0.0.0.0", "CLUSTERMGR_HOSTS": "*.example.org, localhost,console.example.org,other"}


def test_this_machine_is_always_reached_by_its_own_names() -> None:
    assert names.local(NAMED) == ["localhost", "127.0.0.1", "[::1]"]
    assert names.local({"HOST": "fd00::7"})[-1] == "[fd00::7]"
    assert names.public({}) == names.public({"CLUSTERMGR_HOSTS": ""}) == []


@pytest.mark.parametrize(
    ("environment", "tls", "shown", "own"),
    [
        ({}, False, "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ({"HOST": "fd00::7"}, False, "http://[fd00::7]:8000", "http://[fd00::7]:8000"),
        (NAMED, False, "http://console.example.org:8000", "http://127.0.0.1:8000"),
        (NAMED, True, "https://console.example.org", "http://127.0.0.1:8000"),
        ({"CLUSTERMGR_HOSTS": "*"}, False, "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_people_get_the_public_name_and_programs_here_the_own(
    environment: dict[str, str], tls: bool, shown: str, own: str
) -> None:
    place = installation.read(environment, Path("var"), tls=tls)
    assert (place.public_address, place.address) == (shown, own)


@pytest.fixture
def tls(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.ALLOWED_HOSTS = ["console.example.org", *settings.LOCAL_HOSTS]


@pytest.mark.parametrize(
    ("name", "caller", "status"),
    [
        ("localhost:8000", "127.0.0.1", 200),
        ("[::1]:8000", "::1", 200),
        ("console.example.org", "127.0.0.1", 301),
        ("localhost", "192.0.2.7", 301),
        ("127.0.0.1", "unix:", 301),
    ],
)
def test_only_who_asks_here_past_the_proxy_is_not_sent_on(
    tls: None, db: None, name: str, caller: str, status: int
) -> None:
    answer = Client().get("/sign-in/", headers={"Host": name}, REMOTE_ADDR=caller)
    assert answer.status_code == status


def test_through_the_proxy_everybody_comes_in(tls: None, db: None) -> None:
    headers = {"Host": "console.example.org", "X-Forwarded-Proto": "https"}
    assert Client().get("/sign-in/", headers=headers, REMOTE_ADDR="192.0.2.7").status_code == 200
