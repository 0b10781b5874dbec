"""The host console, asked as a browser would ask it: over ASGI, with forms and a cookie."""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.lab import console, console_auth
from clustermgr.drivers.lab.console_auth import Gate
from clustermgr.drivers.lab.console_http import asgi
from clustermgr.drivers.lab.store import ENV as STORE_ENV
from tests.drivers.lab_case import Case

HEADER = (
    "You are on the host. Changes made here are unknown to the cluster until it refreshes; "
    "prefer the cluster's own forms."
)


@dataclass
class Page:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def location(self) -> str:
        return self.headers["location"]


@dataclass
class Browser:
    """Keeps the cookie, and sends the CSRF token of the last page with each form."""

    app: Any
    cookie: str = ""
    csrf: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, method: str = "GET") -> Page:
        page = self._ask(method, path, b"")
        found = re.search(r'name="csrf" value="(\w+)"', page.text)
        self.csrf = found[1] if found else self.csrf
        return page

    def post(self, path: str, **form: str) -> Page:
        return self._ask("POST", path, urlencode({"csrf": self.csrf, **form}).encode())

    def sign_in(self, token: str) -> Page:
        page = self.get(f"/?token={token}")
        self.cookie = page.headers.get("set-cookie", "").split(";")[0]
        return page

    def _ask(self, method: str, target: str, body: bytes) -> Page:
        path, _, query = target.partition("?")
        headers = {"host": "127.0.0.1:8001", "cookie": self.cookie, "content-length": str(len(body))}
        headers["content-type"] = "application/x-www-form-urlencoded"
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in {**headers, **self.extra}.items()],
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        pairs = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Page(sent[0]["status"], pairs, sent[1]["body"].decode())


@pytest.fixture
def stranger(case: Case) -> Browser:
    return Browser(asgi(console.Console(case.world, Gate("secret")).answer, console.refuse))


@pytest.fixture
def browser(stranger: Browser) -> Iterator[Browser]:
    stranger.sign_in("secret")
    stranger.get("/hosts/n1")
    return stranger


def state(case: Case) -> DomainState:
    return case.world.copies(case.web)[0].state


# -- getting in --


@pytest.mark.parametrize("path", ["/", "/hosts/n1", "/?token=wrong", "/nowhere"])
def test_without_the_link_there_is_only_the_sign_in_page(stranger: Browser, path: str) -> None:
    page = stranger.get(path)
    assert page.status == 403
    assert "Use the link to the host console" in page.text
    assert "n1" not in page.text


def test_the_link_sets_a_strict_cookie_and_leaves_the_address_bar(stranger: Browser) -> None:
    page = stranger.sign_in("secret")
    assert (page.status, page.location) == (303, "/")
    assert page.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert "secret" not in page.headers["set-cookie"]
    assert stranger.get("/").status == 200


@pytest.mark.parametrize("odd", ['bad[]="x', '{"a":1}', "theme=a b", "=", "é=1"])
def test_cookies_of_other_programs_on_this_machine_do_not_sign_out(odd: str, browser: Browser) -> None:
    browser.cookie = f"{odd}; {browser.cookie}; sessionid=x"
    assert browser.get("/").status == 200


def test_the_secret_is_made_once_and_only_its_owner_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(console_auth.ENV, raising=False)
    monkeypatch.setenv(STORE_ENV, str(tmp_path / "lab.sqlite3"))
    link = console_auth.sign_in_link("http://127.0.0.1:8001/")
    assert re.fullmatch(r"http://127\.0\.0\.1:8001/\?token=\w{32}", link)
    assert console_auth.sign_in_link("http://127.0.0.1:8001/") == link
    kept = tmp_path / "lab.sqlite3.console-token"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_form_of_another_site_changes_nothing(case: Case, browser: Browser) -> None:
    browser.extra = {"origin": "http://evil.example"}
    assert browser.post(f"/hosts/n1/vms/{case.web}/turn-off").status == 403
    assert state(case) is DomainState.RUNNING


def test_a_form_without_its_token_changes_nothing(case: Case, browser: Browser) -> None:
    browser.csrf = "0" * 64
    assert browser.post("/hosts/n1/power-off").status == 403
    assert case.where() == {"n1": "running"}


def test_looking_never_changes_anything(case: Case, browser: Browser) -> None:
    assert browser.get("/hosts/n1/power-off").status == 404
    assert case.where() == {"n1": "running"}


# -- seeing --


def test_every_page_says_where_you_are_and_allows_nothing_foreign(case: Case, browser: Browser) -> None:
    for path in ("/", "/hosts/n1", f"/hosts/n1/vms/{case.web}", "/nowhere"):
        page = browser.get(path)
        assert HEADER in page.text
        assert "default-src 'none'; style-src 'self'" in page.headers["content-security-policy"]
        assert "style=" not in page.text
        assert "<script" not in page.text


def test_hosts_and_vms_are_shown_with_their_states(case: Case, browser: Browser) -> None:
    assert "1 of 1 VMs running" in browser.get("/").text
    assert ">web</a>" in browser.get("/hosts/n1").text
    page = browser.get(f"/hosts/n1/vms/{case.web}")
    assert 'value="4096"' in page.text
    assert "Shut down" in page.text


def test_a_host_without_power_shows_why_there_are_no_vms(case: Case, browser: Browser) -> None:
    case.faults.power_off("n1")
    page = browser.get("/hosts/n1")
    assert "The power is off. Turn it on to see the VMs." in page.text
    assert "Power on" in page.text


def test_what_people_write_is_text_and_never_markup(case: Case, browser: Browser) -> None:
    evil = "<img src=x onerror=alert(1)> & ${x}"
    browser.post(f"/hosts/n1/vms/{case.web}/settings", memory_mib="4096", vcpus="2", notes=evil)
    assert case.host("n1").read_config(case.web).saved.notes == evil
    for path in ("/hosts/n1", f"/hosts/n1/vms/{case.web}"):
        page = browser.get(path)
        assert "<img" not in page.text
        assert "&lt;img" in page.text


def test_the_stylesheet_is_served_to_everybody(stranger: Browser) -> None:
    page = stranger.get("/console.css")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/css")


# -- doing --


def test_settings_are_changed_on_the_host(case: Case, browser: Browser) -> None:
    page = browser.post(f"/hosts/n1/vms/{case.web}/settings", memory_mib="8192", vcpus="4", notes="more")
    assert page.status == 303
    shown = browser.get(page.location).text
    assert "The settings are saved." in shown
    assert "Runs with 4096 MiB and 2 processors until its next start." in shown


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"memory_mib": "lots", "vcpus": "2"}, "Memory must be a whole number, not “lots”."),
        ({"memory_mib": "4096", "vcpus": "0"}, "Processors must be a whole number from 1 to 16"),
        ({"memory_mib": "99999999", "vcpus": "2"}, "Memory must be a whole number from 16 MiB to 65536 MiB"),
        ({"memory_mib": "4096", "vcpus": "2", "notes": "bell\a"}, "must not contain control characters"),
        ({}, "Memory must be a whole number"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_changes(
    case: Case, browser: Browser, form: dict[str, str], sentence: str
) -> None:
    before = case.host("n1").read_config(case.web)
    page = browser.post(f"/hosts/n1/vms/{case.web}/settings", **{"notes": "typed", **form})
    assert page.status == 409
    assert sentence in page.text
    assert form.get("notes", "typed") in page.text
    assert case.host("n1").read_config(case.web) == before


def test_a_vm_is_stopped_started_and_crashed(case: Case, browser: Browser) -> None:
    here = f"/hosts/n1/vms/{case.web}"
    browser.post(f"{here}/shut-down")
    assert case.after(11).where() == {}
    browser.post(f"{here}/start")
    assert case.after(1).where() == {"n1": "running"}
    browser.post(f"{here}/crash")
    assert state(case) is DomainState.CRASHED


def test_what_the_host_refuses_is_said_on_the_page(case: Case, browser: Browser) -> None:
    page = browser.post(f"/hosts/n1/vms/{case.web}/start")
    assert page.status == 409
    assert "web is running on n1 already." in page.text


def test_the_mark_of_a_manager_is_shown_and_changed(case: Case, browser: Browser) -> None:
    here = f"/hosts/n1/vms/{case.web}"
    browser.get(here)
    assert browser.post(f"{here}/stamp", stamp="manager=other epoch=7").status == 303
    assert case.host("n1").read_config(case.web).running_stamp == "manager=other epoch=7"
    assert "manager=other epoch=7" in browser.get(here).text
    assert browser.post(f"{here}/stamp", stamp="no mark").status == 409


def test_the_pace_of_a_guest_is_changed(case: Case, browser: Browser) -> None:
    browser.post(f"/hosts/n1/vms/{case.web}/dirty", dirty_mib_s="250")
    assert 'value="250"' in browser.get(f"/hosts/n1/vms/{case.web}").text


@pytest.mark.parametrize(
    ("bad", "good"), [("power-off", "power-on"), ("cut", "mend"), ("agent-off", "agent-on")]
)
def test_a_host_is_broken_and_mended(case: Case, browser: Browser, bad: str, good: str) -> None:
    assert browser.get(browser.post(f"/hosts/n1/{bad}").location).status == 200
    with pytest.raises(Exception, match="n1"):
        case.host("n1").ping()
    browser.post(f"/hosts/n1/{good}")
    assert case.after(121).host("n1").ping()


def test_a_storage_path_is_cut_and_mended(case: Case, browser: Browser) -> None:
    page = browser.post("/hosts/n1/storage/csv1/cut")
    assert page.location == "/hosts/n1?done=storage-cut"
    assert case.after(3).where() == {"n1": "paused_io"}
    browser.post("/hosts/n1/storage/csv1/mend")
    browser.post(f"/hosts/n1/vms/{case.web}/start")
    assert case.where() == {"n1": "running"}


# -- nonsense --


def test_what_does_not_exist_is_not_found(case: Case, browser: Browser) -> None:
    for path in ("/hosts/n9", "/hosts/n1/vms/nobody", "/hosts", "/a/b/c/d/e"):
        assert browser.get(path).status == 404
    for path in (
        "/hosts/n9/power-off",
        "/hosts/n1/explode",
        "/hosts/n1/storage/csv9/cut",
        "/hosts/n2/vms/x/start",
    ):
        assert browser.post(path).status == 404


def test_a_form_that_is_too_large_is_not_read(case: Case, browser: Browser) -> None:
    page = browser.post(f"/hosts/n1/vms/{case.web}/settings", notes="x" * 20000)
    assert page.status == 413
    assert "Nothing was changed." in page.text


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=%ff", b"&".join([b"a=1"] * 100)])
def test_a_form_that_cannot_be_read_is_refused(browser: Browser, body: bytes) -> None:
    assert browser._ask("POST", "/hosts/n1/cut", body).status == 400


def test_other_methods_are_not_known_here(browser: Browser) -> None:
    assert browser.get("/", method="DELETE").status == 405
    assert browser.get("/", method="HEAD").text == ""
