"""What the tests of the simulation share: a small world in virtual time, and words to talk about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clustermgr.drivers.contract import Handle, HandleState, MigrationOptions
from clustermgr.drivers.lab.driver import LabHost
from clustermgr.drivers.lab.faults import Faults
from clustermgr.drivers.lab.world import World
from tests.fakes import VirtualClock


class Case:
    """Hosts n1, n2, n3; on n1 `web` runs with 4 GiB: 4 s of copying at 1 GiB/s, after 0.5 s of setting up."""

    def __init__(self, **web: object) -> None:
        self.clock = VirtualClock()
        self.world = World.build(clock=self.clock)
        for name in ("n1", "n2", "n3"):
            self.world.node(name)
        self.faults = Faults(self.world)
        self.web = self.world.vm("web", on="n1", **{"memory_mib": 4096, **web})

        self.definition = self.world.copies(self.web)[0].saved

    def host(self, name: str) -> LabHost:
        return LabHost(self.world, name)

    def migrate(self, to: str = "n2", source: str = "n1") -> Handle:
        return self.host(source).begin_migrate(self.web, self.host(to).destination, MigrationOptions())

    def after(self, seconds: float) -> Case:
        self.clock.advance(seconds)
        return self

    def poll(self, handle: Handle) -> tuple[HandleState, str]:
        return handle.poll()

    def outcome(self, handle: Handle) -> HandleState:
        return handle.poll()[0]

    def where(self) -> dict[str, str]:
        """Host -> state of every process of `web`, an incoming copy marked."""
        copies = [copy for copy in self.world.copies(self.web) if copy.has_process]
        return {copy.host: "incoming" if copy.incoming else copy.state.value for copy in copies}


@pytest.fixture
def case() -> Iterator[Case]:
    """A small simulated world in virtual time."""
    small = Case()
    yield small
    small.world.store.close()
