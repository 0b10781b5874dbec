"""The systemd units run the one table of processes, and systemd itself finds nothing wrong with them."""

from __future__ import annotations

import shlex
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from clustermgr import secrets, settings
from clustermgr.supervisor import processes
from tests.architecture import ROOT

UNITS = ROOT / "docs" / "deployment" / "systemd"
PYTHON = "/opt/clustermgr/.venv/bin/python"
#: Unit -> what the table says, where an instance is written %i.
TABLE = {
    "clustermgr-web@.service": processes.web("127.0.0.1", 8000, behind_proxy=True),
    "clustermgr-worker@.service": processes.worker(),
    "clustermgr-watch.service": processes.watch(),
    "clustermgr-beat.service": processes.beat(),
}


def unit(name: str) -> RawConfigParser:
    parser = RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / name)
    return parser


def started(name: str) -> list[str]:
    """The command of its first instance: port 8000, or worker 1, whose name is then no other's."""
    text = unit(name)["Service"]["ExecStart"]
    text = text.replace("worker-%i@", "worker@").replace("%i", "8000").replace("%%", "%")
    return shlex.split(text)


def test_there_is_a_unit_for_every_process_that_is_needed() -> None:
    assert {path.name for path in UNITS.glob("*.service")} == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_unit_has_the_supervisors_command(name: str) -> None:
    assert started(name) == [PYTHON, *TABLE[name].argv]


@pytest.mark.parametrize("name", TABLE)
def test_a_unit_is_started_again_and_has_no_more_rights_than_it_needs(name: str) -> None:
    service = unit(name)["Service"]
    assert (service["User"], service["Restart"]) == ("clustermgr", "always")
    assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")
    assert float(service["TimeoutStopSec"]) > TABLE[name].grace
    assert unit(name)["Install"]["WantedBy"] == "clustermgr.target"


def test_the_environment_is_one_that_the_settings_read_and_holds_no_secret() -> None:
    lines = [line for line in (UNITS / "environment").read_text().splitlines() if "=" in line[:30]]
    named = {line.split("=")[0] for line in lines if not line.startswith("#")}
    known = Path(settings.__file__).read_text() + Path(secrets.__file__).read_text()
    outside = {"HOSTS", "PYTHONUNBUFFERED", "CELERY_SKIP_CHECKS", "FORWARDED_ALLOW_IPS"}
    assert not {name for name in named - outside if name.removesuffix("_FILE") not in known}
    assert not {"SECRET_KEY", "DATABASE_PASSWORD"} & named


@pytest.mark.systemd
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        # Whether the program is there is the machine's matter, not the unit's.
        (tmp_path / path.name).write_text(path.read_text().replace(PYTHON, "/bin/true"))
    names = [name.replace("@.", "@8000.") for name in TABLE]
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names, "clustermgr.target"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in told.stderr.splitlines() if "clustermgr" in line]
    assert (told.returncode, ours) == (0, [])
