"""The host contract on the simulated world: one `LabHost` is one connection to one simulated host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from clustermgr import ports
from clustermgr.drivers import permits
from clustermgr.drivers.contract import (
    ConfigReading,
    Credentials,
    Destination,
    DomainSight,
    Handle,
    HandleState,
    HostFacts,
    HostSample,
    HostUnreachable,
    Job,
    JobTotals,
    MigrationOptions,
    NotFound,
    Probe,
    Refused,
    VolumeSight,
)
from clustermgr.drivers.lab import definition as definitions
from clustermgr.drivers.lab import guests, hosts, markers, moves, saves, sights, store
from clustermgr.drivers.lab.reach import require_answer, volume_of_path
from clustermgr.drivers.lab.rows import Host
from clustermgr.drivers.lab.tx import Tx
from clustermgr.drivers.lab.world import World

SCHEME = "lab:"


class LabHandle:
    """A call under way; its end is a row of the store. Its answer comes over the connection of `host`: once
    that host does not answer, the call is lost, whatever becomes of it."""

    def __init__(self, host: LabHost, world: World, work_id: int) -> None:
        self._host, self._world = host, world
        self._id = work_id
        self._lost = ""

    def poll(self) -> tuple[HandleState, str]:
        with self._world.read() as tx:
            self._lost = self._lost or self._host.silence(tx)
            work = tx.work(self._id)
        if self._lost:
            return HandleState.LOST, self._lost
        if work is None:
            return HandleState.DONE, ""  # ended more than an hour ago
        if work.state == "active":
            return HandleState.RUNNING, ""
        return (HandleState.FAILED if work.state == "failed" else HandleState.DONE), work.reason


class LabHost:
    """Implements `contract.HostDriver`. `on_host`: one who stands at the machine, network or not."""

    def __init__(self, world: World, name: str, *, deadline: float = 5.0, on_host: bool = False) -> None:
        self._world = world
        self.name = name
        self._deadline = deadline
        self._on_host = on_host

    @classmethod
    def connect(
        cls, address: str, *, credentials: Credentials | None = None, deadline: float = 5.0
    ) -> LabHost:
        """Open `lab:<host>` in the default store. Raises HostUnreachable, AgentDown. Nobody signs in."""
        host = cls(World(store.default()), address.removeprefix(SCHEME), deadline=deadline)
        host.ping()
        return host

    @classmethod
    def probe(cls, address: str, *, credentials: Credentials, deadline: float) -> Probe:
        """Facts and volumes. Raises HostUnreachable, AgentDown, Refused when there is no such host."""
        host = cls.connect(address, deadline=deadline)
        return Probe(facts=host.facts(), volumes=tuple(host.volumes()), vms=len(host.sights()))

    @property
    def destination(self) -> Destination:
        """This host as another simulated host reaches it."""
        return Destination(address=SCHEME + self.name, name=self.name)

    # -- the host --
    def facts(self) -> HostFacts:
        with self._asking() as (_, host):
            return sights.facts(host)

    def ping(self) -> str:
        with self._asking() as (_, host):
            return host.uuid

    def sample(self) -> HostSample:
        with self._asking() as (tx, host):
            return sights.sample(tx, host)

    def volumes(self) -> list[VolumeSight]:
        with self._asking() as (tx, host):
            return sights.volumes(tx, host)

    def activate_volume(self, name: str) -> None:
        with self._ordering() as tx:
            hosts.activate_volume(tx, self.name, name)

    def deactivate_volume(self, name: str) -> None:
        with self._ordering() as tx:
            hosts.deactivate_volume(tx, self.name, name)

    def claim_marker(self, volume: str, name: str, nonce: int) -> bool:
        with self._ordering() as tx:
            return markers.claim(tx, self.name, volume, name, nonce)

    def markers(self, volume: str) -> dict[str, int]:
        with self._asking() as (tx, host):
            return markers.found(tx, host.name, volume)

    def close(self) -> None:
        """Nothing to give back: connections to the store belong to threads."""

    # -- seeing VMs --
    def sights(self) -> list[DomainSight]:
        with self._asking() as (tx, host):
            return sights.domains(tx, host)

    def sight(self, uuid: str) -> DomainSight | None:
        with self._asking() as (tx, host):
            copy = tx.find_copy(host.name, uuid)
            return None if copy is None else sights.domain(copy, job=sights.job(tx, host.name, uuid))

    def jobs(self, uuids: Iterable[str]) -> dict[str, Job]:
        with self._asking() as (tx, host):
            found = {uuid: sights.job(tx, host.name, uuid) for uuid in uuids}
        return {uuid: job for uuid, job in found.items() if job is not None}

    def totals(self, uuid: str) -> JobTotals | None:
        with self._asking() as (tx, host):
            return sights.totals(tx, host.name, uuid)

    def read_config(self, uuid: str) -> ConfigReading:
        with self._asking() as (tx, host):
            copy = tx.copy(host.name, uuid)
        running = copy.running if copy.has_process else None
        return ConfigReading(
            uuid=uuid,
            definition=copy.saved,
            fingerprint=definitions.fingerprint(copy.saved),
            saved=definitions.settings_of(copy.saved, autostart=copy.autostart),
            running=None if running is None else definitions.settings_of(running),
            stamp=definitions.stamp_of(copy.saved),
            running_stamp=None if running is None else definitions.stamp_of(running),
        )

    # -- changing definitions --
    def define(self, definition: str, stamp: str = "") -> None:
        with self._ordering() as tx:
            guests.define(tx, self.name, definition, stamp)

    def stamp(self, uuid: str, text: str) -> None:
        with self._ordering() as tx:
            guests.stamp(tx, self.name, uuid, text)

    def forbid_autostart(self, uuid: str) -> None:
        with self._ordering() as tx:
            tx.set_copy(self.name, tx.copy(self.name, uuid).uuid, autostart=0)

    def undefine(self, uuid: str) -> None:
        with self._ordering() as tx:
            guests.undefine(tx, self.name, uuid)

    def apply_settings(self, uuid: str, changes: Mapping[str, object]) -> dict[str, str]:
        with self._ordering() as tx:
            return guests.apply_settings(tx, self.name, uuid, changes)

    # -- power --
    def begin_start(self, uuid: str) -> Handle:
        with self._ordering() as tx:
            return LabHandle(self, self._world, guests.begin_start(tx, self.name, uuid))

    def resume(self, uuid: str) -> None:
        with self._ordering() as tx:
            guests.resume(tx, self.name, uuid)

    def suspend(self, uuid: str) -> None:
        with self._ordering() as tx:
            guests.suspend(tx, self.name, uuid)

    def destroy(self, uuid: str) -> None:
        with self._ordering() as tx:
            guests.destroy(tx, self.name, uuid)

    def begin_shutdown(self, uuid: str, *, forced: bool = False) -> None:
        with self._ordering() as tx:
            guests.begin_shutdown(tx, self.name, uuid, forced=forced)

    # -- moving --
    def begin_migrate(self, uuid: str, to: Destination, options: MigrationOptions) -> Handle:
        target = to.address.removeprefix(SCHEME)
        with self._ordering() as tx:
            if tx.find_host(target) is None:
                raise Refused(f"{self.name} knows no host at {to.address}. Check the address of {to.name}.")
            work = moves.begin(tx, self.name, uuid, target, bandwidth=options.bandwidth)
        return LabHandle(self, self._world, work)

    def abort_job(self, uuid: str) -> None:
        with self._ordering() as tx:
            for work in tx.works(uuid, self.name):
                if work.kind == moves.KIND and work.host == self.name:
                    moves.abort(tx, work)
                elif work.kind == moves.KIND:
                    raise Refused(f"{self.name} only receives this VM. Cancel the migration on {work.host}.")
                elif work.kind == saves.SAVE:
                    saves.fail_save(tx, work, "The save was cancelled.")
                elif work.kind == saves.RESTORE:
                    raise Refused("A restore cannot be cancelled. Turn the VM off instead.")

    def begin_save(self, uuid: str, path: str) -> Handle:
        with self._ordering() as tx:
            return LabHandle(self, self._world, saves.begin_save(tx, self.name, uuid, path))

    def begin_restore(self, path: str) -> Handle:
        with self._ordering() as tx:
            return LabHandle(self, self._world, saves.begin_restore(tx, self.name, path))

    def has_file(self, path: str) -> bool:
        """Raises Failed when the volume is not reached now: then nobody can say."""
        with self._asking() as (tx, host):
            volume_of_path(tx, host.name, path)
            return tx.file(path) is not None

    def is_whole(self, path: str) -> bool:
        with self._asking() as (tx, host):
            volume_of_path(tx, host.name, path)
            file = tx.file(path)
            return file is not None and file.complete

    def delete_file(self, path: str) -> None:
        with self._ordering() as tx:
            saves.delete_file(tx, self.name, path)

    # -- is anybody there --
    def silence(self, tx: Tx) -> str:
        """Why this host does not answer now, or nothing. Never waits."""
        try:
            host = self._answering(tx)
        except HostUnreachable as error:
            return error.sentence
        return f"{self.name} does not answer: it hangs." if host.hangs else ""

    @contextmanager
    def _asking(self) -> Iterator[tuple[Tx, Host]]:
        with self._world.read() as tx:
            host = self._answering(tx)
            if not host.hangs:
                yield tx, host
                return
        self._hang()

    @contextmanager
    def _ordering(self) -> Iterator[Tx]:
        with self._asking():
            pass
        with self._world.write() as tx:
            self._answering(tx)
            permits.seconds_left()
            yield tx

    def _answering(self, tx: Tx) -> Host:
        host = tx.find_host(self.name)
        if host is None:
            names = ", ".join(known.name for known in tx.hosts()[:8]) or "none"
            raise HostUnreachable(f"There is no simulated host called “{self.name}”. There are: {names}.")
        require_answer(host, tx.now, on_host=self._on_host)
        return host

    def _hang(self) -> None:
        clock = ports.clock()
        if isinstance(clock, ports.RealClock):
            clock.sleep(self._deadline)
        raise HostUnreachable(f"{self.name} did not answer within {self._deadline:g} seconds.")


def open_host(world: World, name: str, *, on_host: bool = False) -> LabHost:
    """A connection in an explicit world. Raises NotFound for a host that does not exist."""
    if name not in world.hosts():
        raise NotFound(f"There is no simulated host called “{name}”.")
    return LabHost(world, name, on_host=on_host)
