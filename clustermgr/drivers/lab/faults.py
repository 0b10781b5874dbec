"""What is done to a simulated host or VM behind the manager's back: by stories, labctl, the console."""

from __future__ import annotations

from collections.abc import Mapping

from clustermgr.drivers.contract import Refused
from clustermgr.drivers.lab import guests, hosts, moves
from clustermgr.drivers.lab.rows import Copy
from clustermgr.drivers.lab.tx import Tx
from clustermgr.drivers.lab.world import World

VM_FAULTS = ("start_fails", "start_fails_on", "migrate_fails", "stop_hangs", "save_fails", "never_converges")
_DIRTY_LIMIT_MIB_S = 100_000.0


class Faults:
    """Pulls plugs and cuts cables in one world. Unknown hosts, VMs and volumes raise NotFound."""

    def __init__(self, world: World) -> None:
        self._world = world

    # -- hosts --
    def power_off(self, node: str) -> None:
        with self._world.write() as tx:
            hosts.power_off(tx, node)

    def power_on(self, node: str) -> None:
        """The host answers again after its boot time; it starts no VM."""
        with self._world.write() as tx:
            hosts.power_on(tx, node)

    def cut(self, node: str) -> None:
        """Cut the management path; guests run on."""
        with self._world.write() as tx:
            tx.host(node)
            hosts.cut_path(tx, node)

    def mend(self, node: str) -> None:
        with self._world.write() as tx:
            tx.host(node)
            hosts.mend_path(tx, node)

    def agent_off(self, node: str) -> None:
        """The hypervisor daemon dies; guests run on."""
        with self._world.write() as tx:
            tx.host(node)
            hosts.stop_agent(tx, node)

    def agent_on(self, node: str) -> None:
        with self._world.write() as tx:
            tx.host(node)
            hosts.start_agent(tx, node)

    def hang(self, node: str, *, hangs: bool = True) -> None:
        """Calls to the host get no answer until their deadline has passed."""
        with self._world.write() as tx:
            tx.host(node)
            tx.set_host(node, hangs=int(hangs))

    def storage_cut(self, node: str, volume: str) -> None:
        with self._world.write() as tx:
            hosts.cut_storage(tx, node, volume)

    def storage_mend(self, node: str, volume: str) -> None:
        with self._world.write() as tx:
            hosts.mend_storage(tx, node, volume)

    def unmount(self, node: str, volume: str) -> None:
        """What lies at the volume's path on this host is a folder of its own from now on."""
        with self._world.write() as tx:
            tx.set_attachment(tx.host(node).name, tx.volume(volume).name, mounted=0)

    # -- VMs, wherever they run --
    def crash(self, uuid: str, *, node: str = "") -> None:
        """The VM's process dies by itself, on the host that has it (or on `node`)."""
        with self._world.write() as tx:
            guests.crash(tx, node or copy_in_use(tx, uuid).host, uuid)

    def hang_guest(self, uuid: str, *, hangs: bool = True) -> None:
        """The guest stops working (or works again): no shutdown, no heartbeat, no processor time."""
        with self._world.write() as tx:
            tx.guest(uuid)
            tx.run("UPDATE guest SET hung = ? WHERE uuid = ?", int(hangs), uuid)
            moves.repace(tx, uuid)

    def load(self, uuid: str, *, cpu: float | None = None, dirty_mib_s: float | None = None) -> None:
        """Processors kept busy, and memory written in MiB/s. Raises Refused for impossible figures."""
        with self._world.write() as tx:
            guest = tx.guest(uuid)
            cpu = guest.load_cpu if cpu is None else cpu
            dirty = guest.dirty_mib_s if dirty_mib_s is None else dirty_mib_s
            if not 0 <= dirty <= _DIRTY_LIMIT_MIB_S or not 0 <= cpu <= 1024:
                raise Refused(f"A dirty rate lies between 0 and {_DIRTY_LIMIT_MIB_S:.0f} MiB/s.")
            tx.run("UPDATE guest SET load_cpu = ?, dirty_mib_s = ? WHERE uuid = ?", cpu, dirty, uuid)
            moves.repace(tx, uuid)

    def plan(self, uuid: str, faults: Mapping[str, object]) -> None:
        """Set planned faults of a VM (VM_FAULTS), leaving the others. Raises Refused for an unknown one."""
        unknown = sorted(set(faults) - set(VM_FAULTS))
        if unknown:
            raise Refused(f"There is no fault called “{unknown[0]}”. There are: {', '.join(VM_FAULTS)}.")
        with self._world.write() as tx:
            tx.set_faults(uuid, {**tx.guest(uuid).faults, **faults})
            moves.repace(tx, uuid)

    def image_lock(self, volume: str, *, locks: bool) -> None:
        """Whether the volume's image lock refuses a second process of a VM."""
        with self._world.write() as tx:
            tx.volume(volume)
            tx.run("UPDATE volume SET locks = ? WHERE name = ?", int(locks), volume)


def copy_in_use(tx: Tx, uuid: str) -> Copy:
    """The copy of a VM that counts: the one with a process, else its only definition."""
    copies = [copy for copy in tx.copies_of(uuid) if not copy.incoming]
    live = [copy for copy in copies if copy.has_process] or copies
    if len(live) != 1:
        places = ", ".join(copy.host for copy in live) or "no host"
        raise Refused(f"This VM is on {places}: say which host is meant.")
    return live[0]
