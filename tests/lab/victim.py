"""A guest made for a test, whose processes are asked themselves whether they run."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.core.management import call_command

from clustermgr.drivers import registry
from clustermgr.kvmlab import image
from clustermgr.kvmlab.guests import Guest, domain_xml
from clustermgr.kvmlab.image import Program
from clustermgr.kvmlab.layout import CSV, NODES, LabError
from clustermgr.models import Cluster, Node
from tests.jobs.test_on_kvm import Plant
from tests.kvm import KvmLab, wait_for

#: It rewrites 24 MiB faster than SLOW sends them: its migration never ends by itself.
BUSY = Program(ticks_per_count=2, window_mib=24, pages_per_tick=350)
SLOW_MIB_S = 8
MONITOR = "/run/victim.qmp"  # inside each node
#: A second way to ask QEMU, beside its daemon's.
SPY = (
    "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
    f"<qemu:arg value='-qmp'/><qemu:arg value='unix:{MONITOR},server=on,wait=off'/></qemu:commandline>"
)
LOOK_S = 0.1


class Victim:
    """`victim` on node `home`; `away` is another. Neither has `counter`, which must never restart."""

    name = "victim"

    def __init__(self, plant: Plant, home: int, away: int) -> None:
        self.plant, self.lab, self.home, self.away = plant, plant.lab, home, away
        self.guest = Guest(self.name, 120, home, BUSY, 48)
        self.most = 0  # processes that ran at one moment
        self.looks = 0
        self._stop = threading.Event()

    @property
    def uuid(self) -> str:
        return self.guest.uuid

    @property
    def target(self) -> Node:
        """`away` as the cluster's node."""
        return Node.objects.get(name=self.lab.nodes[self.away - 1].name)

    def pids(self) -> list[int]:
        return self.lab.pids(self.uuid)

    def console(self) -> list[int]:
        text = (self.lab.layout.volume(CSV) / "console" / f"{self.name}.log").read_text(errors="replace")
        return [int(line, 16) for line in text.split("\n")[:-1] if line]

    def running(self) -> list[int]:
        """Nodes on which a process of it runs. A move between two questions is not two: asked again."""
        first = [number for number in NODES if self._runs(number)]
        return first if len(first) < 2 else [number for number in first if self._runs(number)]

    def _runs(self, number: int) -> bool:
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(2)
            line.connect(str(self.lab.layout.node(number) / MONITOR[1:]))
            with line.makefile("rw") as talk:
                talk.readline()
                for order in ("qmp_capabilities", "query-status"):
                    talk.write(json.dumps({"execute": order}))
                    talk.flush()
                    answer = json.loads(talk.readline())
                    while "return" not in answer:
                        answer = json.loads(talk.readline())
                return bool(answer["return"]["running"])
        return False

    def watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.most, self.looks = max(self.most, len(self.running())), self.looks + 1

    def make(self) -> None:
        image.boot_disk(BUSY, self.lab.layout.volume(CSV) / f"{self.name}.qcow2")
        spied = domain_xml(self.guest).replace("</domain>", f"{SPY}</domain>")
        host = registry.connect("libvirt", self.lab.uri(self.home), deadline=20)
        host.define(spied)
        host.close()
        self.lab.virsh(self.home, "start", self.name)
        assert wait_for(lambda: self._said(3)), "it does not boot"

    def _said(self, least: int) -> bool:
        log = Path(self.lab.layout.volume(CSV) / "console" / f"{self.name}.log")
        return log.exists() and len(self.console()) >= least

    def unmake(self) -> None:
        for number in NODES:
            for words in (("destroy", self.name), ("undefine", self.name, "--keep-nvram")):
                with suppress(LabError):
                    self.lab.virsh(number, *words)
        for file in self.lab.layout.volume(CSV).glob(f"**/{self.name}*"):
            file.unlink()


#: What ends with a node's power, and how it is begun again.
LISTS = {"pool-list": "pool-start", "list": "start"}


def listed(lab: KvmLab, number: int, verb: str) -> set[str]:
    return set(lab.virsh(number, verb, "--name").split())


def quiet_nodes(lab: KvmLab) -> list[int]:
    return [number for number in NODES if "counter" not in listed(lab, number, "list")]


@contextmanager
def made(plant: Plant) -> Iterator[Victim]:
    """The victim runs at home and is a role of the cluster; afterwards the lab is as it was."""
    home, away = quiet_nodes(plant.lab)[:2]
    victim = Victim(plant, home, away)
    before = {(number, verb): listed(plant.lab, number, verb) for number in (home, away) for verb in LISTS}
    victim.unmake()
    eyes = threading.Thread(target=victim.watch, daemon=True)
    try:
        victim.make()
        call_command("import_cluster", str(plant.lab.layout.description), verbosity=0)
        Cluster.objects.update(migration_bandwidth_mib_s=SLOW_MIB_S)
        eyes.start()
        yield victim
    finally:
        victim._stop.set()
        if eyes.ident:
            eyes.join()
        victim.unmake()
        for (number, verb), names in before.items():
            for name in names - listed(plant.lab, number, verb) - {victim.name}:
                plant.lab.virsh(number, LISTS[verb], name)
    assert victim.most <= 1, f"{victim.most} processes of one VM ran at once"
    assert victim.looks > 0
