"""The driver contract on the simulated hosts, in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clustermgr.drivers.contract import Handle
from clustermgr.drivers.lab.driver import LabHost
from clustermgr.drivers.lab.faults import Faults
from clustermgr.drivers.lab.world import World
from tests.drivers.contract_suite import *  # noqa: F403
from tests.fakes import VirtualClock

_STEP_S = 0.1


class LabHarness:
    def __init__(self) -> None:
        self._clock = VirtualClock()
        world = World.build(clock=self._clock)
        self._faults = Faults(world)
        world.node("n1")
        world.node("n2")
        self.source, self.target = LabHost(world, "n1"), LabHost(world, "n2")
        self.destination = self.target.destination
        self.running_name = "web"
        self.running_vm = world.vm("web", on="n1", memory_mib=256)
        self.off_vm = world.vm("files", on="n1", state="off")

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        passed = 0.0
        while not condition():
            if passed > seconds:
                return False
            self._clock.advance(_STEP_S)
            passed += _STEP_S
        return True

    def saved_path(self) -> str:
        return "/clusterstorage/csv1/web.state"

    def lose(self, handle: Handle) -> None:
        self._faults.hang("n1")
        handle.poll()
        self._faults.hang("n1", hangs=False)


@pytest.fixture
def harness() -> LabHarness:
    return LabHarness()
