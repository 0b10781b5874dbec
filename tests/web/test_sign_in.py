"""Signing in and out: throttled, in words, by form and by a link that works once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.db.models import F
from django.test import Client
from django.utils import timezone

from clustermgr.actions import accounts
from tests import worlds
from tests.fakes import VirtualClock
from tests.web.asks import PANES, text_of

pytestmark = pytest.mark.django_db
RIGHT = {"username": "ana", "password": worlds.PASSWORD}


@pytest.fixture
def account() -> None:
    worlds.user("ana", "administrator", password=worlds.PASSWORD)


def test_the_right_password_leads_to_where_one_wanted_to_go(account: None, client: Client) -> None:
    worlds.cluster("c1")
    asked = client.get("/c/c1/roles/?q=web")
    assert asked["Location"] == "/sign-in/?next=/c/c1/roles/%3Fq%3Dweb"
    response = client.post("/sign-in/", {**RIGHT, "next": "/c/c1/roles/?q=web"})
    assert response["Location"] == "/c/c1/roles/?q=web"
    assert client.get("/c/c1/roles/").status_code == 200


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil", "%0d%0a: x", "sign-out"],
)
def test_signing_in_leads_nowhere_else(target: str, account: None, client: Client) -> None:
    assert client.post("/sign-in/", {**RIGHT, "next": target})["Location"] == "/"


def test_a_wrong_password_says_so_and_keeps_the_name(account: None, client: Client) -> None:
    response = client.post("/sign-in/", {"username": "ana", "password": "wrong"})
    assert response.status_code == 401
    assert "The name or the password is wrong." in text_of(response)
    assert 'value="ana"' in response.content.decode()


def test_the_page_has_its_styles_without_debug_and_without_a_web_server(client: Client) -> None:
    named = re.findall(r'(?:href|src)="(/static/[^"#]+)', client.get("/sign-in/").content.decode())
    assert len(named) > 5
    answers = [client.get(each) for each in named]
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        answer.close()


def test_where_nobody_has_an_account_the_page_says_what_makes_one(client: Client) -> None:
    assert "Run python manage.py prepare on the console's machine" in text_of(client.get("/sign-in/"))
    worlds.user("ana", "administrator")
    assert "Nobody has an account here" not in text_of(client.get("/sign-in/"))


def test_five_wrong_attempts_lock_the_name_with_a_clear_page(account: None, client: Client) -> None:
    for _ in range(5):
        response = client.post("/sign-in/", {"username": "ana", "password": "wrong"})
    assert response.status_code == 429
    assert "Locked for 15 minutes" in text_of(response)
    assert client.post("/sign-in/", RIGHT).status_code == 429


def guess(name: str, address: str, times: int = 5) -> int:
    """The answer's status after so many wrong passwords from there."""
    for _ in range(times):
        answer = Client(REMOTE_ADDR=address).post("/sign-in/", {"username": name, "password": "wrong"})
    return answer.status_code


def signs_in(address: str) -> bool:
    return Client(REMOTE_ADDR=address).post("/sign-in/", RIGHT).status_code == 302


def test_one_person_behind_a_router_locks_nobody_else(account: None) -> None:
    assert guess("oli", "192.0.2.1", times=20) == 429
    assert signs_in("192.0.2.1")


def test_nobody_from_elsewhere_locks_the_administrator_out(account: None) -> None:
    assert guess("ana", "198.51.100.7", times=20) == 429
    assert not signs_in("198.51.100.7")
    assert signs_in("192.0.2.1")


def test_a_host_does_not_get_more_attempts_by_its_many_ipv6_addresses(account: None) -> None:
    for n in range(4):
        assert guess("ana", f"2001:db8:0:1::{n}", times=1) == 401
    assert guess("ana", "2001:db8:0:1:ffff::1", times=1) == 429
    assert guess("ana", "2001:db8:0:2::1", times=1) == 401


def test_a_right_password_begins_a_new_count(account: None) -> None:
    assert guess("ana", "192.0.2.1", times=4) == 401
    assert signs_in("192.0.2.1")
    assert guess("ana", "192.0.2.1", times=4) == 401


def test_further_attempts_do_not_make_a_lock_longer(account: None) -> None:
    guess("ana", "192.0.2.1")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert guess("ana", "192.0.2.1", times=3) == 429
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=2))
    assert signs_in("192.0.2.1")


def test_a_socket_without_an_address_is_counted_too(account: None) -> None:
    assert guess("ana", "") == 429


def test_an_account_without_a_role_sees_nothing(client: Client) -> None:
    worlds.cluster("c1")
    client.force_login(worlds.outsider(), backend="django.contrib.auth.backends.ModelBackend")
    response = client.get("/c/c1/")
    assert response.status_code == 403
    assert "Ask an administrator." in text_of(response)


def test_a_part_asked_for_without_a_session_sends_htmx_to_sign_in(client: Client) -> None:
    worlds.cluster("c1")
    headers = {**PANES, "HX-Current-URL": "http://testserver/c/c1/roles/"}
    response = client.get("/c/c1/roles/", headers=headers, follow=True)
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in/?next=%2Fc%2Fc1%2Froles%2F"


@pytest.mark.parametrize("address", ["http://[", "http://evil.example/", "javascript:alert(1)"])
def test_where_htmx_claims_to_be_is_not_believed(address: str, client: Client) -> None:
    response = client.get("/c/c1/", headers={**PANES, "HX-Current-URL": address}, follow=True)
    assert response["HX-Redirect"] == "/sign-in/?next=%2F"


def test_cookies_belong_to_this_installation_and_survive_a_link_from_a_mail(
    account: None, client: Client
) -> None:
    client.get("/sign-in/")
    client.post("/sign-in/", RIGHT)
    names = [name for name in client.cookies if name != "messages"]
    assert len(names) == 2
    assert all(name.startswith("clustermgr_") for name in names)
    assert {client.cookies[name]["samesite"] for name in names} == {"Lax"}


def test_signing_out_ends_the_session(ana: Client) -> None:
    assert ana.get("/sign-out/").status_code == 405
    ana.post("/sign-out/")
    assert ana.get("/")["Location"].startswith("/sign-in/")


def test_a_link_signs_in_once(client: Client) -> None:
    token = accounts.make_link(worlds.admin())
    assert client.get(f"/sign-in/{token}/")["Location"] == "/"
    assert client.get("/?all=1").status_code == 200
    response = Client().get(f"/sign-in/{token}/")
    assert response.status_code == 403
    assert "was used before or is too old" in text_of(response)


def test_a_link_ends_after_its_time_and_when_a_newer_one_is_made(clock: VirtualClock) -> None:
    user = worlds.admin()
    old, new = accounts.make_link(user), accounts.make_link(user, timedelta(minutes=5))
    assert accounts.use_link(old) is None
    clock.advance(301)
    assert accounts.use_link(new) is None


def test_a_link_of_a_blocked_account_does_nothing() -> None:
    user = worlds.admin()
    token = accounts.make_link(user)
    user.is_active = False
    user.save()
    assert accounts.use_link(token) is None
