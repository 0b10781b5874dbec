"""What an installation stands on, to be taken away and given back; and who asks it for things meanwhile.

OUTAGE_S says for how many seconds they are away: a few, or the minute of `make soak`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
from pathlib import Path
from typing import Any

from clustermgr.cli.client import Client, Refused, path
from clustermgr.cli.place import Place
from clustermgr.core.states import SETTLED
from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.lab import store
from clustermgr.drivers.lab.world import World
from clustermgr.supervisor import redis_server
from tests.browsing import Browser
from tests.stack import Stack

OUTAGE_S = float(os.environ.get("OUTAGE_S") or 6)
SOAK = OUTAGE_S >= 60
CLUSTER = ("clusters", "prod-cl1")


class Redis:
    """A server that the installation is told of by REDIS_URL, so nobody starts it again but we."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._socket = folder, folder / "s"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = redis_server.options(socket=str(self._socket), folder=str(self._folder), permissions="600")
        command = [redis_server.find() or "redis-server", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not redis_server.answers(self.url):
            assert time.monotonic() < deadline, "Redis did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


class Disk:
    """A small file system of its own, which can be filled to the last byte."""

    def __init__(self, folder: Path, mib: int) -> None:
        self.folder = folder
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "clustermgr-test", folder], check=True)

    def fill(self) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while ballast.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def make_room(self) -> None:
        (self.folder / "ballast").unlink()

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)


class Guest:
    """An administrator at the API of a stack, and the truth on its simulated hosts."""

    def __init__(self, stack: Stack, hosts: Path | None = None) -> None:
        self.stack = stack
        self.hosts = hosts or stack.var / "lab.sqlite3"
        stack.wait((stack.var / "clusterctl.json").exists, 20, "clusterctl's token")
        self.token = json.loads((stack.var / "clusterctl.json").read_text())["token"]
        self.api = Client(Place(stack.url, self.token))
        self.browser = Browser(stack.url, stack.password)

    def move(self, vm: str, target: str) -> int:
        """Order a live migration; the operation's number."""
        where = path(*CLUSTER, "vms", vm, "live-migrate")
        return int(self.api.order("POST", where, {"target": target})["operation"]["id"])

    def operation(self, number: int) -> dict[str, Any]:
        return dict(self.api.get(path(*CLUSTER, "operations", number)))

    def asked(self, number: int) -> bool:
        """Whether the console answers again."""
        try:
            return bool(self.operation(number))
        except Refused:
            return False

    def under_way(self, number: int) -> None:
        self.stack.wait(lambda: self.percent(number) >= 3, 40, "the migration to be under way")

    def percent(self, number: int) -> float:
        return float((self.operation(number).get("progress") or {}).get("percent") or 0)

    def settled(self, number: int, seconds: float = 90) -> dict[str, Any]:
        self.stack.wait(lambda: self.operation(number)["state"] in SETTLED, seconds, f"{number} to settle")
        return self.operation(number)

    def assert_moved_once(self, number: int, vm: str, target: str) -> None:
        assert self.settled(number)["state"] == "succeeded", self.operation(number)
        row = self.api.get(path(*CLUSTER, "vms", vm))
        assert (row["owner"], row["state"]) == (target, "running")
        world = World(store.at(self.hosts))
        assert world.processes(row["uuid"]) == {target: DomainState.RUNNING}
        assert world.double_runs() == []
        orders = self.api.get(path(*CLUSTER, "operations"))["items"]
        assert [order["id"] for order in orders if order["vm_name"] == vm] == [number]

    def page(self, where: str = "/c/prod-cl1/") -> tuple[int, str]:
        """Status and text of a page, for somebody who is signed in."""
        try:
            return 200, self.browser.get(where)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
