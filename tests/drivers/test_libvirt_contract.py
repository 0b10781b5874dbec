"""The driver contract on real libvirt nodes and QEMU guests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING

import pytest

from clustermgr.drivers import registry
from clustermgr.drivers.contract import DomainState, Handle, HostDriver
from clustermgr.kvmlab import image
from clustermgr.kvmlab.guests import Guest, domain_xml
from clustermgr.kvmlab.image import Program
from clustermgr.kvmlab.layout import CSV
from tests.drivers.contract_suite import *  # noqa: F403
from tests.kvm import KvmLab, wait_for

if TYPE_CHECKING:
    from clustermgr.drivers.contract import ConfigReading

pytestmark = pytest.mark.qemu

#: Rewrites 24 MiB faster than the suite's slow migration can send it, so that one never ends by itself.
RUNNING = Guest("web", 101, 1, Program(window_mib=24, pages_per_tick=350), 48)
OFF = Guest("files", 102, 1)
_paths = count()


class LibvirtHarness:
    def __init__(self, lab: KvmLab, source: HostDriver, target: HostDriver) -> None:
        self._lab, self.source, self.target = lab, source, target
        self.destination = lab.destination(2)
        self.running_vm, self.off_vm, self.running_name = RUNNING.uuid, OFF.uuid, RUNNING.name
        for guest in (RUNNING, OFF):
            if guest.program is not None:
                image.boot_disk(guest.program, lab.layout.volume(CSV) / f"{guest.name}.qcow2")
            self.source.define(domain_xml(guest))
        self._clean: dict[str, ConfigReading] = {
            uuid: self.source.read_config(uuid) for uuid in (self.running_vm, self.off_vm)
        }

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        return wait_for(condition, seconds)

    def saved_path(self) -> str:
        return f"/srv/{CSV}/saved/web-{next(_paths)}.state"

    def lose(self, handle: Handle) -> None:
        from clustermgr.drivers.libvirt.children import ChildHandle  # libvirt-python may be missing

        assert isinstance(handle, ChildHandle)
        os.kill(handle.pid, signal.SIGKILL)

    def reset(self) -> None:
        """One VM running on the source, one off, none on the target; what is so already stays."""
        self.source.abort_job(self.running_vm)
        assert self.wait(lambda: not self.source.jobs([self.running_vm]), 20)
        for uuid, clean in self._clean.items():
            if self.target.sight(uuid) is not None:
                self.target.destroy(uuid)
                self.target.undefine(uuid)
            seen = self.source.sight(uuid)
            if seen is None or self.source.read_config(uuid).fingerprint != clean.fingerprint:
                self.source.define(clean.definition)
        self.source.destroy(self.off_vm)
        self._run()

    def _run(self) -> None:
        seen = self.source.sight(self.running_vm)
        if seen is None or not seen.has_process:
            handle = self.source.begin_start(self.running_vm)
            assert self.wait(lambda: handle.poll()[0] != "running", 20), "it does not start"
        if seen is None or seen.state is not DomainState.RUNNING:
            before = self._written()
            self.source.resume(self.running_vm)
            assert self.wait(lambda: self._written() > before, 20), "it does not boot"

    def _written(self) -> int:
        console = self._lab.layout.volume(CSV) / "console" / f"{self.running_name}.log"
        return console.stat().st_size if console.exists() else 0

    def close(self) -> None:
        for host in (self.source, self.target):
            for uuid in self._clean:
                host.destroy(uuid)
                host.undefine(uuid)
            host.close()


@pytest.fixture(scope="module")
def pair(kvm_lab: KvmLab) -> Iterator[LibvirtHarness]:
    source, target = (registry.connect("libvirt", kvm_lab.uri(n), deadline=20) for n in (1, 2))
    both = LibvirtHarness(kvm_lab, source, target)
    yield both
    both.close()


@pytest.fixture
def harness(pair: LibvirtHarness) -> LibvirtHarness:
    pair.reset()
    return pair
