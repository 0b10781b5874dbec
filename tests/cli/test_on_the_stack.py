"""clusterctl beside `make run`: without further set-up it moves a machine, and is told when it may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import clusterctl
from tests.setup.conftest import wait_until
from tests.stack import Stack

pytestmark = [pytest.mark.redis, pytest.mark.slow]


def test_on_the_machine_of_the_console_it_works_at_once(tmp_path: Path) -> None:
    here = {"CLUSTERMGR_VAR": str(tmp_path), "CLUSTERCTL_URL": "", "CLUSTERCTL_TOKEN": ""}
    with Stack(tmp_path) as stack:
        wait_until((tmp_path / "clusterctl.json").exists)
        told = clusterctl("token", "whoami", **here)
        assert told.stdout == f"admin (administrator) at {stack.url}\n", told.stderr
        moved = clusterctl("vm", "live-migrate", "web01", "--to", "hv-03", "--wait", "--json", **here)
        assert (moved.returncode, json.loads(moved.stdout)["state"]) == (0, "succeeded"), moved.stderr
        assert json.loads(clusterctl("vm", "show", "web01", "--json", **here).stdout)["owner"] == "hv-03"
        refused = clusterctl("vm", "live-migrate", "web01", "--to", "hv-03", **here)
        assert (refused.returncode, "web01 is already on hv-03" in refused.stderr) == (1, True)
        secret = json.loads((tmp_path / "clusterctl.json").read_text())["token"]
        assert secret not in (tmp_path / "log" / "clustermgr.log").read_text()
