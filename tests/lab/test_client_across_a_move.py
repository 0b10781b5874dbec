"""A client of a Linux guest keeps its one TCP connection while the guest is live migrated."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clustermgr.actions import vms
from clustermgr.kvmlab import network
from clustermgr.kvmlab.layout import SUBNET
from clustermgr.models import Vm
from tests.jobs.test_on_kvm import ANA, Plant
from tests.kvm import KvmLab, wait_for

pytestmark = [pytest.mark.qemu, pytest.mark.slow]

CLIENT = Path(__file__).with_name("client.py")
GUEST, ADDRESS, ECHO = "web01", f"{SUBNET}.102", 7


def at_the_switch(lab: KvmLab, *command: str) -> list[str]:
    return ["nsenter", "-t", str(network.switch_pid(lab.layout)), "-n", *command]


def answers(lab: KvmLab) -> bool:
    probe = f"import socket; socket.create_connection(({ADDRESS!r}, {ECHO}), 1).close()"
    return (
        subprocess.run(at_the_switch(lab, sys.executable, "-c", probe), capture_output=True).returncode == 0
    )


@contextmanager
def client(lab: KvmLab) -> Iterator[dict[str, Any]]:
    """A conversation that lasts as long as the block; what came of it is in the value afterwards."""
    told: dict[str, Any] = {}
    words = at_the_switch(lab, sys.executable, str(CLIENT), ADDRESS, str(ECHO))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "connected\n"
        yield told
        said, _ = process.communicate("", timeout=30)
        told |= json.loads(said.splitlines()[-1])


def test_a_client_stays_connected_across_a_live_migration(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Vm.objects.filter(name=GUEST).exists():
        pytest.skip("no Linux guests here")
    assert wait_for(lambda: answers(plant.lab), 40, 0.3), "the guest does not boot"
    with client(plant.lab) as told:
        wait_for(lambda: False, 1)
        target = plant.other(GUEST)
        order = plant.carry(vms.live_migrate(actor=ANA, vm=plant.vm(GUEST), target=target))
        wait_for(lambda: False, 1)
    took, downtime, gap = order.progress["took_s"], order.progress["downtime_ms"], told["gap_s"] * 1000
    with capsys.disabled():
        print(f"\n  {GUEST} moved in {took} s; {told['answers']} answers to its client, longest gap")
        print(f"  {gap:.0f} ms; libvirt's downtime {downtime:.0f} ms")
    assert (told["broken"], told["lost"]) == ("", 0)
    assert told["answers"] > 40
    assert (plant.vm(GUEST).owner, plant.copies(GUEST)) == (target, 1)
