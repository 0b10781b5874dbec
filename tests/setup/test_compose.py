"""docker-compose.yml runs the same commands as `manage.py up`, checks each process, and holds no secret."""

from __future__ import annotations

import re
import shlex

import pytest

from clustermgr.supervisor import processes, redis_server
from tests.architecture import ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (pip install -r tests/requirements.txt)")

TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
OURS = [
    processes.web("0.0.0.0", 8000),
    processes.worker(),
    processes.watch(),
    processes.beat(),
    processes.console("0.0.0.0", 8001),
]


@pytest.mark.parametrize("process", OURS, ids=lambda process: process.name)
def test_a_process_has_the_supervisors_command(process):
    assert shlex.split(SERVICES[process.name]["command"]) == ["python", *process.argv]


def test_redis_keeps_what_it_holds_and_has_no_port():
    wanted = redis_server.options(socket="/run/redis/redis.sock", folder="/data", permissions="666")
    assert shlex.split(SERVICES["redis"]["command"]) == ["redis-server", *wanted]


def test_these_services_and_no_others():
    assert set(SERVICES) == {process.name for process in OURS} | {"setup", "redis", "postgres"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"setup"}))
def test_each_service_that_stays_is_checked(name):
    assert SERVICES[name]["healthcheck"]["test"]


def test_everything_waits_for_the_setup():
    for process in OURS:
        wait = SERVICES[process.name]["depends_on"]["setup"]
        assert wait == {"condition": "service_completed_successfully"}


def test_ports_are_for_this_machine_alone():
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:8000:8000", "127.0.0.1:8001:8001"]


def test_no_secret_stands_in_the_file():
    settings = [line for line in TEXT.splitlines() if re.match(r"\s+[A-Z_]+: ", line)]
    assert not [line for line in settings if re.search(r"PASSWORD|SECRET|TOKEN|KEY", line)]
    assert not re.search(r"://[^/@\s]*:[^/@\s]*@", TEXT)


def test_the_image_does_not_run_as_root():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] != "root"
