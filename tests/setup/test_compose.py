"""docker-compose.yml runs the same commands as `manage.py up`, checks each process, and holds no secret."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest

from clustermgr.supervisor import processes, redis_server
from tests import compose
from tests.architecture import ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (pip install -r tests/requirements.txt)")

TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
OURS = {
    "web-a": processes.web("0.0.0.0", 8000, behind_proxy=True),
    "web-b": processes.web("0.0.0.0", 8000, behind_proxy=True),
    "worker": processes.worker(),
    "watch": processes.watch(),
    "beat": processes.beat(),
    "console": processes.console("0.0.0.0", 8001),
}


@pytest.mark.compose
def test_docker_compose_takes_the_file():
    understood = compose.config()["services"]
    assert set(understood) == set(SERVICES)
    assert understood["worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", OURS)
def test_a_process_has_the_supervisors_command(name):
    assert shlex.split(SERVICES[name]["command"]) == ["python", *OURS[name].argv]


def test_redis_keeps_what_it_holds_and_has_no_port():
    wanted = redis_server.options(socket="/run/redis/redis.sock", folder="/data", permissions="666")
    assert shlex.split(SERVICES["redis"]["command"]) == ["redis-server", *wanted]


FOLDERS = {"redis-folder": "redis", "postgres-folder": "postgres"}


def test_these_services_and_no_others():
    assert set(SERVICES) == set(OURS) | set(FOLDERS) | {"setup", "proxy", "redis", "postgres"}


@pytest.mark.parametrize(("folder", "server"), FOLDERS.items())
def test_a_server_waits_until_the_folder_of_its_socket_is_its_own(folder, server):
    assert SERVICES[server]["depends_on"][folder] == {"condition": "service_completed_successfully"}
    assert SERVICES[folder]["image"] == SERVICES[server]["image"]  # whose accounts are meant
    assert SERVICES[folder]["volumes"][0] in SERVICES[server]["volumes"]


SERVE = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
STRANGER = 10001  # the account of our own image


@pytest.mark.root
@pytest.mark.compose
@pytest.mark.parametrize(("folder", "server"), FOLDERS.items())
def test_a_folder_of_roots_becomes_one_for_the_servers_socket(folder, server):
    # Everybody must be able to pass, and a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="compose-", dir="/tmp") as made:
        place = Path(made)
        place.chmod(0o711)
        composed = compose.Composed(place)
        sockets = place / SERVICES[folder]["volumes"][0].split(":")[0]
        owner = compose.account(server).pw_uid
        assert (sockets.stat().st_uid, sockets.stat().st_mode & 0o777) == (0, 0o755)
        assert not may(owner, SERVE, sockets / "early")
        composed.completed(folder)
        assert may(owner, SERVE, sockets / "s")
        assert may(STRANGER, "import os, sys; os.stat(sys.argv[1])", sockets / "s")
        assert not may(STRANGER, SERVE, sockets / "squatter")


def may(user, program, path):
    """Whether somebody without rights of root can do this there."""
    ids = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    command = ["setpriv", *ids, "--", "/usr/bin/python3", "-c", program, str(path)]
    return subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0


ENDS = {"setup", *FOLDERS}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ENDS))
def test_each_service_that_stays_is_checked(name):
    assert SERVICES[name]["healthcheck"]["test"]


def test_everything_waits_for_the_setup():
    for name in OURS:
        wait = SERVICES[name]["depends_on"]["setup"]
        assert wait == {"condition": "service_completed_successfully"}


def test_ports_are_for_this_machine_alone():
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:8000:8080", "127.0.0.1:8001:8001"]


def test_only_what_nobody_reaches_past_the_proxy_believes_it():
    believing = {name for name, service in SERVICES.items() if "FORWARDED_ALLOW_IPS" in str(service)}
    assert believing == {"web-a", "web-b"}
    assert not any("ports" in SERVICES[name] for name in believing)


def test_the_proxy_leads_to_every_web_process():
    text = (ROOT / "docs" / "deployment" / "nginx.conf").read_text()
    assert set(re.findall(r"server ([a-z-]+):8000", text)) == {"web-a", "web-b"}


def test_no_secret_stands_in_the_file():
    settings = [line for line in TEXT.splitlines() if re.match(r"\s+[A-Z_]+: ", line)]
    assert not [line for line in settings if re.search(r"PASSWORD|SECRET|TOKEN|KEY", line)]
    assert not re.search(r"://[^/@\s]*:[^/@\s]*@", TEXT)


def test_the_image_does_not_run_as_root():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] != "root"


def packages():
    """What the image installs, as its lines say it."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    found = re.findall(r"apt-get install -y --no-install-recommends ([^&]+?) +&&", text)
    return [word for words in found for word in words.split()]


@pytest.mark.apt
def test_debian_has_what_the_image_installs():
    command = ["apt-get", "install", "--simulate", "--no-install-recommends", *packages()]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


def test_the_image_reaches_real_hosts():
    assert {"openssh-client", "libvirt0"} <= set(packages())
    assert "requirements-libvirt.txt" in (ROOT / "Dockerfile").read_text()
