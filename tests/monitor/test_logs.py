"""Log lines: what they are about, in both forms, and what must not stand in them."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from clustermgr import logs
from clustermgr.actions import tokens
from clustermgr.supervisor import processes
from clustermgr.supervisor.log import Log
from tests import worlds
from tests.architecture import ROOT


class Lines:
    """What a handler of this form writes, line by line."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(formatter)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (json.loads(line) for line in self.stream.getvalue().splitlines())

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def listening() -> Iterator[Callable[[logging.Formatter], Lines]]:
    """`listening(logs.Json())`: what the program says from now on, in this form."""
    made: list[Lines] = []

    def listen(formatter: logging.Formatter) -> Lines:
        made.append(Lines(formatter))
        logging.getLogger().addHandler(made[-1].handler)
        return made[-1]

    yield listen
    for lines in made:
        logging.getLogger().removeHandler(lines.handler)


log = logging.getLogger("clustermgr.tests")
Listening = Callable[[logging.Formatter], Lines]


def test_a_line_says_what_it_is_about(listening: Listening) -> None:
    lines = listening(logs.Json())
    with logs.bound(operation=7, cluster="c1", vm=""):
        log.warning("slow: %s", "net\nwork")
    log.warning("after")
    (inside, after) = lines
    assert inside.items() >= {"level": "warning", "logger": "clustermgr.tests", "operation": 7}.items()
    assert inside["message"] == "slow: net\nwork"
    assert (inside["cluster"], "vm" in inside, "operation" in after) == ("c1", False, False)
    assert inside["time"].endswith("Z")


def test_text_for_people_ends_with_what_it_is_about(listening: Listening) -> None:
    lines = listening(logs.Text("%(levelname)s %(name)s: %(message)s"))
    with logs.bound(operation=7, vm="web01"):
        log.warning("slow")
    log.warning("quick")
    assert lines.text.splitlines() == [
        "WARNING clustermgr.tests: slow [operation 7, vm web01]",
        "WARNING clustermgr.tests: quick",
    ]


def test_an_error_brings_its_trace_in_the_same_line(listening: Listening) -> None:
    lines = listening(logs.Json())
    try:
        raise ValueError("postgresql://clustermgr:swordfish@db/clustermgr")
    except ValueError:
        log.exception("it broke")
    (line,) = lines
    assert "ValueError" in line["trace"]
    assert "swordfish" not in lines.text


def test_another_thread_is_about_something_else(listening: Listening) -> None:
    lines = listening(logs.Json())
    with logs.bound(operation=7):
        thread = threading.Thread(target=log.warning, args=("beside",))
        thread.start()
        thread.join()
    assert [line.get("operation") for line in lines] == [None]


@pytest.mark.parametrize(
    "secret",
    [
        "cmt_0123456789abcdef",
        "GET /sign-in/AbC-123_x HTTP/1.1",
        "redis://default:swordfish@redis/0",
        "Authorization: Bearer abc.def",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----",
        "<graphics type='vnc' passwd='swordfish'/>",
    ],
)
def test_secrets_are_hidden_in_both_forms(listening: Listening, secret: str) -> None:
    forms = [listening(logs.Json()), listening(logs.Text())]
    log.warning("it said: %s", secret)
    for lines in forms:
        assert "(hidden)" in lines.text
        for word in ("0123456789abcdef", "AbC-123_x", "swordfish", "abc.def", "b3BlbnNz"):
            assert word not in lines.text


@pytest.mark.parametrize(
    "process",
    [
        processes.web("127.0.0.1", 8000),
        processes.worker(),
        processes.watch(),
        processes.beat(),
        processes.console("127.0.0.1", 8001),
    ],
    ids=lambda process: process.name,
)
def test_a_process_knows_its_name_from_its_command(process: processes.Process) -> None:
    assert logs.process_role(["python", *process.argv]) == process.name


def test_a_command_of_the_program_names_itself() -> None:
    assert logs.process_role(["manage.py", "backup", "--to", "x"]) == "backup"
    assert logs.process_role(["something", "else"]) == "program"


# -- requests ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "kept"), [("abcd-1234-ABCD", True), ("", False), ("x\r\nEvil: 1", False), ("y" * 65, False)]
)
def test_each_answer_carries_the_id_of_its_request(sent: str, kept: bool, db: None) -> None:
    answer = Client().get("/sign-in/", headers={"X-Request-ID": sent})
    assert (answer["X-Request-ID"] == sent) is kept
    assert answer["X-Request-ID"]


def test_a_page_that_breaks_names_the_request_that_the_log_names(
    listening: Listening, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clustermgr.queries import shell

    def broken(*args: Any) -> Any:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(shell, "tree", broken)
    worlds.usual()
    lines = listening(logs.Json())
    browser = Client(raise_request_exception=False)
    browser.force_login(worlds.viewer(), backend="django.contrib.auth.backends.ModelBackend")
    answer = browser.get("/c/c1/roles/")
    assert answer.status_code == 500
    assert answer["X-Request-ID"] in answer.content.decode()
    (line,) = [line for line in lines if "no such luck" in line.get("trace", "")]
    assert (line["request"], line["user"], line["cluster"]) == (answer["X-Request-ID"], "vic", "c1")


def test_a_program_is_told_the_request_too(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(tokens, "use", broken)
    answer = Client().get("/api/v1/clusters", headers={"Authorization": "Bearer cmt_1"})
    assert answer.status_code == 500
    assert answer["X-Request-ID"] in answer.json()["findings"][0]["sentence"]


def test_a_password_and_a_token_that_are_sent_are_not_in_the_log(listening: Listening, db: None) -> None:
    lines = listening(logs.Json())
    Client().post("/sign-in/", {"username": "ana", "password": "swordfish-of-ana"})
    Client().get("/api/v1/clusters", headers={"Authorization": "Bearer cmt_feedbeef"})
    assert "swordfish" not in lines.text
    assert "feedbeef" not in lines.text


# -- the one log of `manage.py up` ---------------------------------------------------------------------------


def test_the_log_of_all_processes_is_one_object_a_line(tmp_path: Path) -> None:
    log = Log(tmp_path / "all.log", io.StringIO(), form="json")
    log.write("web", '{"time": "now", "process": "web", "message": "hello"}')
    log.write("redis", "Ready to accept connections at redis://x:swordfish@host")
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "all.log").read_text().splitlines()]
    assert [(line["process"], line["message"].split()[0]) for line in lines] == [
        ("web", "hello"),
        ("redis", "Ready"),
    ]
    assert "swordfish" not in (tmp_path / "all.log").read_text()


def test_a_wrong_form_of_the_log_stops_the_start(tmp_path: Path) -> None:
    ours = {"DJANGO_SETTINGS_MODULE": "clustermgr.settings", "CLUSTERMGR_VAR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        env={**ours, "CLUSTERMGR_LOG": "xml"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "CLUSTERMGR_LOG must be text or json, not “xml”." in done.stderr
