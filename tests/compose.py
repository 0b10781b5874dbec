"""docker-compose.yml without an engine: its services' own commands, environment and health checks as plain
processes. Only what volumes, ports and images would give is mapped into a folder; each replica of ours has a
host name of its own, as a container has.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from tests.postgres import ACCOUNT, Postgres, program, unprivileged

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docker-compose.yml"
OURS = "clustermgr"
DIES_WITH_US = ["setpriv", "--pdeathsig=KILL", "--"]


def config(file: Path = FILE) -> dict[str, Any]:
    """What Debian's docker-compose makes of the file. Raises CalledProcessError when it is wrong."""
    told = subprocess.run(
        ["docker-compose", "-f", str(file), "config"], check=True, capture_output=True, text=True
    )
    return dict(yaml.safe_load(told.stdout))


class Composed:
    """`start("worker")` all its replicas, `wait_healthy("worker")`, `kill9("worker-1")`, `url("proxy")`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services: dict[str, Any] = config()["services"]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {name: _ports(service) for name, service in self.services.items()}
        self._files: dict[str, Path] = {}
        for name, service in self.services.items():
            for source, target in _volumes(service):
                self._files[target] = self._mounted(name, source)

    def __exit__(self, *error: object) -> None:
        for name in reversed(list(self.processes)):
            # PostgreSQL's own children are told by it alone.
            self.end(name, signal.SIGQUIT if name == "postgres" else signal.SIGKILL)

    def __enter__(self) -> Composed:
        return self

    # -- what an engine would do --------------------------------------------------------------------------

    def replicas(self, service: str) -> list[str]:
        number = self.services[service].get("deploy", {}).get("replicas", 1)
        return [f"{service}-{n}" for n in range(1, number + 1)] if number > 1 else [service]

    def start(self, service: str) -> None:
        for name in self.replicas(service):
            self.start_one(service, name)

    def start_one(self, service: str, name: str) -> None:
        command = self._words(service, shlex.split(self.services[service]["command"]))
        if self.services[service].get("user") == "root":
            command = [str(account(word).pw_uid) if word in IMAGE_ACCOUNTS else word for word in command]
        elif service == "postgres":
            command = self._as_postgres(command)
        elif service == "redis":
            command = self._as_redis(command)
        elif self.services[service]["image"] == OURS:
            apart = ["unshare", "--uts"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--uts"]
            command = [*apart, "sh", "-c", 'hostname "$0" && exec "$@"', name, *command]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*DIES_WITH_US, *command],
                cwd=ROOT,
                env=self.environment(service, name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def completed(self, service: str) -> str:
        """Run a service that ends by itself; what it said. What root prepares for others is left out here
        where we are nobody else either."""
        if self.services[service].get("user") == "root" and os.geteuid() != 0:
            return ""
        self.start(service)
        code = self.processes.pop(service).wait(120)
        assert code == 0, self.log(service)
        return self.log(service)

    def healthy(self, service: str, name: str) -> bool:
        """One run of the service's own health check, where the service is."""
        kind, *words = self.services[service]["healthcheck"]["test"]
        words = self._words(service, [word.replace("$$", "$") for word in words])
        command = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        environment = self.environment(service, name)
        asked = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        return asked.returncode == 0

    def wait_healthy(self, *services: str, seconds: float = 60) -> None:
        for service in services:
            for name in self.replicas(service):
                self.wait(lambda s=service, n=name: self.healthy(s, n), seconds, f"{name} to be healthy")

    # -- what a test does ---------------------------------------------------------------------------------

    def end(self, name: str, number: signal.Signals) -> None:
        process = self.processes.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, number)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)

    def kill9(self, name: str) -> None:
        self.end(name, signal.SIGKILL)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{next(iter(self.ports[service].values()))}"

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            gone = [name for name, process in self.processes.items() if process.poll() is not None]
            said = "\n".join(f"-- {name}\n{self.log(name)[-2000:]}" for name in gone)
            assert not gone, f"ended while we waited for {what}: {gone}\n{said}"
            assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
            time.sleep(0.1)

    # -- mapping ------------------------------------------------------------------------------------------

    def environment(self, service: str, name: str) -> dict[str, str]:
        """The service's own, what its image sets, and nothing of this process."""
        found = {"LANG": "C.UTF-8", "HOME": str(self.folder), "HOSTNAME": name}
        if self.services[service]["image"] == OURS:
            found |= image_environment()
        found |= {key: str(value) for key, value in self.services[service].get("environment", {}).items()}
        found = dict(zip(found, self._words(service, list(found.values())), strict=True))
        folders = [Path(sys.executable).parent, *filter(None, [_folder_of_postgres()])]
        found["PATH"] = ":".join([*map(str, folders), "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
        if service == "postgres":
            found |= {"PGDATA": str(self._files["/var/lib/postgresql/data"])}
            found |= {"PGHOST": str(self._files["/var/run/postgresql"])}
        return found

    def _words(self, service: str, words: list[str]) -> list[str]:
        return [self._ported(service, self._placed(word)) for word in words]

    def _placed(self, word: str) -> str:
        for inside in sorted(self._files, key=len, reverse=True):
            outside = str(self._files[inside])
            word = word.replace(inside, outside).replace(quote(inside, safe=""), quote(outside, safe=""))
        return word

    def _ported(self, service: str, word: str) -> str:
        word = "127.0.0.1" if word == "0.0.0.0" else word
        for inside, outside in self.ports[service].items():
            word = re.sub(rf"(?<!\d){inside}(?!\d)", str(outside), word)
        return word

    def _mounted(self, service: str, source: str) -> Path:
        if not source.startswith("/"):
            path = self.folder / source
            path.mkdir(exist_ok=True)
            return path
        path = self.folder / f"{service}-{Path(source).name}"
        shutil.copy(source, path)
        return path

    def mapped_file(self, service: str, inside: str, replaced: dict[str, str]) -> None:
        """A mounted configuration names other services: there, too, names and ports are mapped."""
        path = self._files[inside]
        text = path.read_text()
        for old, new in replaced.items():
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text)

    def _as_postgres(self, command: list[str]) -> list[str]:
        """What the image's entry point does: an empty database for its user, and not as root.

        It would take the folder of the sockets, too; that the file does not rely on this is what is tested.
        """
        sockets, data = self._files["/var/run/postgresql"], self._files["/var/lib/postgresql/data"]
        made = Postgres(self.folder / "made", data=data)
        if not (data / "PG_VERSION").exists():
            named = self.services["postgres"]["environment"]
            with made:
                made.create(named["POSTGRES_DB"])
        first = program(command[0]) or command[0]
        return unprivileged(first, *command[1:], "-c", f"unix_socket_directories={sockets}")

    def _as_redis(self, command: list[str]) -> list[str]:
        """What the image's entry point does: its own user, who owns /data and nothing else."""
        if os.geteuid() != 0:
            return command
        user = account("redis")
        os.chown(self._files["/data"], user.pw_uid, user.pw_gid)
        ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
        return ["setpriv", *ids, "--pdeathsig=KILL", "--", *command]


#: The users of the images, and who plays them where Debian's package is not installed.
IMAGE_ACCOUNTS = {"postgres": ACCOUNT, "redis": "nobody"}


def account(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return pwd.getpwnam(IMAGE_ACCOUNTS[name])


def image_environment() -> dict[str, str]:
    """The ENV of our image."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    said = " ".join(re.findall(r"^ENV (.*)$", text, re.MULTILINE))
    return dict(pair.split("=", 1) for pair in shlex.split(said))


def _volumes(service: dict[str, Any]) -> list[tuple[str, str]]:
    return [tuple(volume.split(":")[:2]) for volume in service.get("volumes", ())]


def _ports(service: dict[str, Any]) -> dict[int, int]:
    """Port inside -> a free one here."""
    inside = re.findall(r"--port (\d+)", service["command"])
    inside += [port.rsplit(":", 1)[1].split("/")[0] for port in service.get("ports", ())]
    return {int(port): _free_port() for port in inside if int(port)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _folder_of_postgres() -> Path | None:
    found = program("pg_isready")
    return Path(found).parent if found else None
