"""Where clusterctl finds the console and its token, and what it says when it does not."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from clustermgr.cli.install import install
from clustermgr.cli.place import Place, Unplaced, find
from clustermgr.models import ApiToken
from clustermgr.supervisor import first_start, installation
from tests import worlds
from tests.cli.conftest import clusterctl


def leave(folder: Path, **values: str) -> dict[str, str]:
    (folder / "clusterctl.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "token": "t", **values}))
    return {"CLUSTERMGR_VAR": str(folder)}


def test_the_environment_goes_first_and_the_file_of_this_machine_second(tmp_path: Path) -> None:
    here = leave(tmp_path)
    assert find(here) == Place("http://127.0.0.1:1", "t")
    there = {"CLUSTERCTL_URL": "https://there/", "CLUSTERCTL_TOKEN": "x"}
    assert find({**here, **there}) == Place("https://there", "x")


def test_this_machines_token_goes_to_no_other_address(tmp_path: Path) -> None:
    with pytest.raises(Unplaced, match="no token for https://there"):
        find({**leave(tmp_path), "CLUSTERCTL_URL": "https://there"})


def test_a_token_is_not_in_the_text_of_its_place() -> None:
    assert "secret" not in repr(Place("http://x", "secret"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": "x"}'])
def test_a_file_that_cannot_be_read_is_said(text: str, tmp_path: Path) -> None:
    (tmp_path / "clusterctl.json").write_text(text)
    with pytest.raises(Unplaced, match="cannot be read"):
        find({"CLUSTERMGR_VAR": str(tmp_path)})


def test_without_a_console_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    ended = clusterctl("vm", "list", CLUSTERMGR_VAR=str(tmp_path), CLUSTERCTL_URL="", CLUSTERCTL_TOKEN="")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Start it here with `make run`" in ended.stderr
    silent = clusterctl("vm", "list", CLUSTERCTL_URL="http://127.0.0.1:1", CLUSTERCTL_TOKEN="t")
    assert (silent.returncode, "does not answer" in silent.stderr) == (1, True)
    wrong = clusterctl("vm", "list", CLUSTERCTL_URL="ftp://x", CLUSTERCTL_TOKEN="t")
    assert (wrong.returncode, "must look like" in wrong.stderr) == (1, True)


@pytest.mark.django_db
def test_a_start_leaves_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    worlds.user("admin", "administrator")
    place = installation.read({"PORT": "8123"}, tmp_path)
    path = first_start.open_for_clusterctl(place)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = find({"CLUSTERMGR_VAR": str(tmp_path)})
    assert found.url == "http://127.0.0.1:8123"
    first_start.open_for_clusterctl(place)
    assert find({"CLUSTERMGR_VAR": str(tmp_path)}) == found
    assert ApiToken.objects.count() == 1


@pytest.mark.django_db
def test_an_administrator_without_a_role_leaves_no_file(tmp_path: Path) -> None:
    worlds.user("admin")
    leave(tmp_path)
    path = first_start.open_for_clusterctl(installation.read({}, tmp_path))
    assert not path.exists()


def test_the_command_is_put_beside_its_interpreter(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    script = install(tmp_path / "python")
    assert script == tmp_path / "clusterctl"
    ended = subprocess.run(
        [str(script), "--help"], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout.startswith("usage: clusterctl")) == (0, True)


def test_the_client_starts_without_the_program() -> None:
    loaded = "[m for m in sys.modules if m in {'django', 'celery', 'ninja'}]"
    code = f"import sys, clustermgr.cli.main; print({loaded})"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout == "[]\n"
