"""What somebody does who stands at a simulated host: for the host console and labctl, never the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from clustermgr.drivers.contract import DomainState, NotFound, Refused
from clustermgr.drivers.lab import guests
from clustermgr.drivers.lab.faults import copy_in_use
from clustermgr.drivers.lab.reach import require_answer
from clustermgr.drivers.lab.tx import Tx
from clustermgr.drivers.lab.world import World


class OnHost:
    """The tools of the host itself. They need its power and its daemon, not its network."""

    def __init__(self, world: World, node: str) -> None:
        self._world = world
        self.node = node

    def start(self, uuid: str) -> None:
        """Start, or go on from a state that the host kept. Ends running; look for the outcome."""
        with self._at_host() as tx:
            copy = tx.copy(self.node, uuid)
            if copy.state in (DomainState.PAUSED, DomainState.PAUSED_IO) and not copy.incoming:
                guests.resume(tx, self.node, uuid)
            else:
                guests.begin_start(tx, self.node, uuid, run=True)

    def shut_down(self, uuid: str) -> None:
        with self._at_host() as tx:
            if not tx.copy(self.node, uuid).has_process:
                raise Refused("This VM is off already.")
            guests.begin_shutdown(tx, self.node, uuid, forced=False)

    def pause(self, uuid: str) -> None:
        with self._at_host() as tx:
            guests.suspend(tx, self.node, uuid)

    def turn_off(self, uuid: str) -> None:
        with self._at_host() as tx:
            guests.destroy(tx, self.node, uuid)

    def edit(self, uuid: str, changes: Mapping[str, object]) -> dict[str, str]:
        """Field -> "now" or "next_start". Raises Refused, nothing changed, when a field is not possible."""
        with self._at_host() as tx:
            return guests.apply_settings(tx, self.node, uuid, changes)

    def stamp(self, uuid: str, text: str) -> None:
        """Put a manager's mark on a VM, as another manager would, or take it away ("")."""
        with self._at_host() as tx:
            guests.stamp(tx, self.node, uuid, text)

    @contextmanager
    def _at_host(self) -> Iterator[Tx]:
        with self._world.write() as tx:
            require_answer(tx.host(self.node), tx.now, on_host=True)
            yield tx


def find_vm(world: World, name: str, *, node: str = "") -> tuple[str, str]:
    """(host, UUID) of the VM of this name (or UUID). Raises NotFound, or Refused when it is ambiguous."""
    with world.read() as tx:
        rows = tx.all("SELECT DISTINCT uuid FROM copy WHERE name = ? OR uuid = ?", name, name.lower())
        if not rows:
            raise NotFound(
                f"There is no VM called “{name}” on the simulated hosts. `list` shows those there are."
            )
        if len(rows) > 1:
            raise Refused(f"{len(rows)} VMs are called {name}. Give the UUID instead.")
        uuid = str(rows[0]["uuid"])
        if node:
            return tx.copy(tx.host(node).name, uuid).host, uuid
        return copy_in_use(tx, uuid).host, uuid
