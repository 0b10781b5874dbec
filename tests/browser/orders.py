"""Orders given beside the browser, and the truth about them: the cluster's rows and the simulated hosts."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from clustermgr.core.states import SETTLED
from clustermgr.drivers.lab import store
from clustermgr.drivers.lab.world import World
from tests.stack import ROOT, Stack

PREFACE = "import django, sys, json; django.setup(); "
ORDER = """
from clustermgr.access import CLUSTER
from clustermgr.actions import vms
from clustermgr.models import Node, Vm
vm = Vm.objects.get(name=sys.argv[1])
target = Node.objects.get(name=sys.argv[2], cluster=vm.cluster)
print(vms.live_migrate(actor=CLUSTER, vm=vm, target=target).pk)
"""
ACCOUNT = """
from django.contrib.auth import get_user_model
from clustermgr.models import Membership
user, made = get_user_model().objects.get_or_create(username=sys.argv[1])
if made:
    user.set_password(sys.argv[2])
    user.save()
    Membership.objects.create(user=user, role=sys.argv[1])
"""


def run_inside(stack: Stack, code: str, *arguments: str) -> str:
    """A few lines in the installation's own settings, as a process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", PREFACE + code, *arguments],
        cwd=ROOT,
        env={**stack.environment, **inside(stack)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def inside(stack: Stack) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "clustermgr.settings",
        "REDIS_URL": f"unix://{stack.var / 'run' / 'redis.sock'}",
        "PATH": os.environ["PATH"],
    }


def rows(stack: Stack, query: str, *values: Any) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{stack.var / 'clustermgr.sqlite3'}?mode=ro", uri=True, timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(query, values)]
    finally:
        connection.close()


def hosts(stack: Stack) -> World:
    """The simulated hosts as they are, whatever the cluster believes."""
    return World(store.at(stack.var / "lab.sqlite3"))


@dataclass(frozen=True)
class Move:
    """One live migration, ordered past the browser."""

    stack: Stack
    vm: str
    target: str
    operation: int

    @classmethod
    def order(cls, stack: Stack, vm: str, target: str) -> Move:
        return cls(stack, vm, target, int(run_inside(stack, ORDER, vm, target)))

    @property
    def row(self) -> dict[str, Any]:
        query = "SELECT * FROM clustermgr_operation WHERE id = ?"
        return rows(self.stack, query, self.operation)[0]

    @property
    def percent(self) -> float:
        return float(json.loads(self.row["progress"] or "{}").get("percent") or 0.0)

    @property
    def settled(self) -> bool:
        return self.row["state"] in SETTLED

    @property
    def subject(self) -> dict[str, Any]:
        query = "SELECT v.*, n.name AS node FROM clustermgr_vm v JOIN clustermgr_node n ON n.id = v.owner_id"
        return rows(self.stack, f"{query} WHERE v.name = ?", self.vm)[0]

    @property
    def running_on(self) -> list[str]:
        """The hosts that truly have a process of this VM."""
        return list(hosts(self.stack).processes(self.subject["uuid"]))
