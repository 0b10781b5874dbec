"""The simulated world: a store and a clock. Opens settled transactions, builds, and tells the truth."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from clustermgr import ports
from clustermgr.drivers.contract import DomainState, NotFound
from clustermgr.drivers.lab.build import NodeSpec, VmSpec, VolumeSpec, place_node, place_vm, place_volume
from clustermgr.drivers.lab.rows import Copy, Incident
from clustermgr.drivers.lab.settle import settle
from clustermgr.drivers.lab.store import Store
from clustermgr.drivers.lab.tx import SETTINGS, Tx


class Now(Protocol):
    def now(self) -> datetime:
        """Aware time of day."""
        ...


class World:
    """All simulated hosts of one store. `clock`: anything with now(); None follows the Clock port."""

    def __init__(self, store: Store, clock: Now | None = None) -> None:
        self.store = store
        self._clock = clock
        self._open = threading.local()

    @classmethod
    def build(cls, store: Store | None = None, clock: Now | None = None, **settings: float) -> World:
        """An empty world with one CSV, `csv1`; `settings` are speeds of tx.SETTINGS."""
        world = cls(store or Store.memory(), clock)
        with world.write():
            world.set_speeds(**settings)
            world.volume("csv1")
        return world

    def now(self) -> float:
        clock = self._clock or ports.clock()
        return clock.now().timestamp()

    # -- transactions --
    @contextmanager
    def write(self) -> Iterator[Tx]:
        """Everything due has happened; what is done inside is done wholly or not at all. Nests."""
        outer: Tx | None = getattr(self._open, "tx", None)
        if outer is not None:
            yield outer
            return
        with self.store.writing() as connection:
            tx = Tx(connection, self.now())
            settle(tx)
            self._open.tx = tx
            try:
                yield tx
            finally:
                self._open.tx = None

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """One consistent view; takes the write lock only when something is due."""
        outer: Tx | None = getattr(self._open, "tx", None)
        if outer is not None:
            yield outer
            return
        now = self.now()
        if self._is_due(now):
            with self.write():
                pass
        with self.store.reading() as connection:
            yield Tx(connection, now)

    def _is_due(self, now: float) -> bool:
        return Tx(self.store.connection(), now).next_due() is not None

    # -- building --
    def set_speeds(self, **settings: float) -> None:
        """Change speeds of the simulation (tx.SETTINGS). Raises NotFound for a name that is none."""
        with self.write() as tx:
            for key, value in settings.items():
                if key not in SETTINGS:
                    raise NotFound(f"There is no speed called “{key}”. There are: {', '.join(SETTINGS)}.")
                tx.run("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", key, float(value))

    def node(self, name: str, **more: Any) -> str:
        """Add a host (`build.NodeSpec`). Returns its name."""
        with self.write() as tx:
            place_node(tx, NodeSpec(name, **more))
        return name

    def volume(self, name: str, **more: Any) -> str:
        """Add a volume (`build.VolumeSpec`). Returns its name."""
        with self.write() as tx:
            place_volume(tx, VolumeSpec(name, **more))
        return name

    def vm(self, name: str, *, on: str, **more: Any) -> str:
        """Add a VM (`build.VmSpec`). Returns its UUID, which follows from the name."""
        spec = VmSpec(name, on, **more)
        with self.write() as tx:
            place_vm(tx, spec)
        return spec.uuid

    def place(
        self,
        nodes: Sequence[NodeSpec],
        volumes: Sequence[VolumeSpec],
        vms: Sequence[VmSpec],
    ) -> None:
        """Add a whole cluster at once; its nodes reach its volumes and no others."""
        names = tuple(node.name for node in nodes)
        with self.write() as tx:
            for node in nodes:
                place_node(tx, node, attach=False)
            for volume in volumes:
                place_volume(tx, replace(volume, hosts=volume.hosts or names))
            for vm in vms:
                place_vm(tx, vm)

    # -- the truth, for tests and stories --
    def hosts(self) -> list[str]:
        with self.read() as tx:
            return [host.name for host in tx.hosts()]

    def copies(self, uuid: str) -> list[Copy]:
        """What each host has of a VM, whether or not anybody can ask that host."""
        with self.read() as tx:
            return tx.copies_of(uuid)

    def processes(self, uuid: str) -> dict[str, DomainState]:
        """Host -> state, for the hosts with a process of this VM."""
        return {copy.host: copy.state for copy in self.copies(uuid) if copy.has_process}

    def double_runs(self) -> list[Incident]:
        """Every moment at which a VM began to run on one host while it ran on another."""
        with self.read() as tx:
            return tx.incidents("double_run")

    def lock_refusals(self) -> list[Incident]:
        """Every second process that only the image lock prevented."""
        with self.read() as tx:
            return tx.incidents("lock_refused")

    def saved_file(self, uuid: str) -> str:
        """The path of a complete saved state of this VM, else empty."""
        with self.read() as tx:
            row = tx.one("SELECT path FROM file WHERE uuid = ? AND complete = 1", uuid)
            return "" if row is None else str(row["path"])
