"""The contract on a libvirt host: reads through one connection, changes through a child process each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clustermgr.drivers import contract, permits
from clustermgr.drivers.contract import Busy, NotFound, Refused, Unsupported

try:
    import libvirt  # noqa: F401
except ImportError as missing:
    raise Unsupported(
        "The manager's machine lacks libvirt-python, which is compiled there. Install it:"
        " apt-get install gcc pkg-config libvirt-dev python3-dev"
        " && .venv/bin/pip install -r requirements-libvirt.txt",
        raw=str(missing),
    ) from missing

from clustermgr.drivers.libvirt import (
    children,
    definitions,
    host,
    markers,
    moving,
    probing,
    sights,
    signin,
    storage,
)
from clustermgr.drivers.libvirt.connection import Connection


class LibvirtHost:
    """One connection to one libvirt host. Open a new one after HostUnreachable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._call = connection.call
        self._uuid = ""
        self._sampler = host.Sampler()
        self._folders: dict[str, str] | None = None  # pool targets, for the volume names of disks

    @classmethod
    def connect(
        cls, address: str, *, credentials: contract.Credentials | None = None, deadline: float
    ) -> LibvirtHost:
        """`address`: as `core.addresses` takes it. Raises HostUnreachable, AgentDown, Refused."""
        return cls(Connection(signin.uri_for(address, credentials), deadline))

    @classmethod
    def probe(cls, address: str, *, credentials: contract.Credentials, deadline: float) -> contract.Probe:
        """What is missing, in findings. Without a pinned host key nobody signs in by ssh."""
        return probing.probe(address, credentials, deadline)

    def close(self) -> None:
        self._connection.close()

    # -- the host --
    def facts(self) -> contract.HostFacts:
        return self._call("describe itself", host.facts)

    def ping(self) -> str:
        if not self._uuid:
            self._uuid = self._call("tell its UUID", host.host_uuid)
        self._call("answer", lambda handle: handle.getLibVersion())
        return self._uuid

    def sample(self) -> contract.HostSample:
        return self._call("measure itself", self._sampler.sample)

    def volumes(self) -> list[contract.VolumeSight]:
        if self._connection.stuck:
            raise Busy("An earlier look at this host's storage has not come back yet.")
        self._folders = None
        return self._call("list its volumes", storage.volumes)

    def activate_volume(self, name: str) -> None:
        self._change("activate_volume", name=name)

    def deactivate_volume(self, name: str) -> None:
        self._change("deactivate_volume", name=name)

    def claim_marker(self, volume: str, name: str, nonce: int) -> bool:
        return bool(self._change("claim_marker", volume=volume, name=name, nonce=nonce))

    def markers(self, volume: str) -> dict[str, int]:
        return self._call("list the markers on the volume", lambda handle: markers.found(handle, volume))

    # -- seeing VMs --
    def sights(self) -> list[contract.DomainSight]:
        return self._call("list its virtual machines", sights.sights)

    def sight(self, uuid: str) -> contract.DomainSight | None:
        return self._call("show the virtual machine", lambda handle: sights.sight(handle, uuid))

    def jobs(self, uuids: Iterable[str]) -> dict[str, contract.Job]:
        return self._call("list its jobs", lambda handle: sights.jobs(handle, uuids))

    def totals(self, uuid: str) -> contract.JobTotals | None:
        return self._call("tell the migration's figures", lambda handle: sights.totals(handle, uuid))

    def read_config(self, uuid: str) -> contract.ConfigReading:
        if self._folders is None:
            self._folders = self._call("list its volumes", storage.targets)
        folders = self._folders
        return self._call(
            "read the virtual machine's configuration",
            lambda handle: definitions.read_config(handle, uuid, storage.disk_facts(handle, folders)),
        )

    # -- changing definitions --
    def define(self, definition: str, stamp: str = "") -> None:
        self._change("define", definition=definition, stamp=stamp)

    def stamp(self, uuid: str, text: str) -> None:
        self._change("stamp", uuid=uuid, text=text)

    def forbid_autostart(self, uuid: str) -> None:
        self._change("forbid_autostart", uuid=uuid)

    def undefine(self, uuid: str) -> None:
        self._change("undefine", uuid=uuid)

    def apply_settings(self, uuid: str, changes: Mapping[str, object]) -> dict[str, str]:
        value = self._change("apply_settings", uuid=uuid, changes=dict(changes))
        return {str(field): str(when) for field, when in value.items()} if isinstance(value, dict) else {}

    # -- power --
    def begin_start(self, uuid: str) -> contract.Handle:
        seen = self._existing(uuid)
        if seen.has_process:
            raise Refused("The virtual machine is running already.")
        return self._begin("start", uuid=uuid)

    def resume(self, uuid: str) -> None:
        self._change("resume", uuid=uuid)

    def suspend(self, uuid: str) -> None:
        self._change("suspend", uuid=uuid)

    def destroy(self, uuid: str) -> None:
        self._change("destroy", uuid=uuid)

    def begin_shutdown(self, uuid: str, *, forced: bool = False) -> None:
        self._change("shutdown", uuid=uuid, forced=forced)

    # -- moving --
    def begin_migrate(
        self, uuid: str, to: contract.Destination, options: contract.MigrationOptions
    ) -> contract.Handle:
        self._free_to_move(uuid)
        return self._begin(
            "migrate",
            uuid=uuid,
            address=to.address,
            bandwidth=options.bandwidth,
            unsafe=options.allow_unsafe,
        )

    def abort_job(self, uuid: str) -> None:
        """Directly, not in a child: a cancel is urgent, and libvirt answers it in milliseconds."""
        permits.seconds_left()
        self._call("cancel the job", lambda handle: moving.abort_job(handle, uuid))

    def begin_save(self, uuid: str, path: str) -> contract.Handle:
        self._free_to_move(uuid)
        return self._begin("save", uuid=uuid, path=path)

    def begin_restore(self, path: str) -> contract.Handle:
        return self._begin("restore", path=path)

    def has_file(self, path: str) -> bool:
        return self._call("look for the file", lambda handle: storage.has_file(handle, path))

    def is_whole(self, path: str) -> bool:
        return self._call("look at the file", lambda handle: storage.is_whole(handle, path))

    def delete_file(self, path: str) -> None:
        self._change("delete_file", path=path)

    # -- how calls are made --
    def _change(self, verb: str, **arguments: object) -> object:
        there = self._connection
        return children.call(there.uri, verb, arguments, there.deadline, self._uuid)

    def _begin(self, verb: str, **arguments: object) -> contract.Handle:
        there = self._connection
        return children.begin(there.uri, verb, arguments, there.deadline, self._uuid)

    def _existing(self, uuid: str) -> contract.DomainSight:
        seen = self.sight(uuid)
        if seen is None:
            raise NotFound("The host knows no such virtual machine.")
        return seen

    def _free_to_move(self, uuid: str) -> None:
        """libvirt would let a second job wait 30 s for the first, and then do it."""
        seen = self._existing(uuid)
        if not seen.has_process:
            raise Refused("The virtual machine is not running.")
        if seen.job is not None:
            raise Busy("Another job of this virtual machine is under way.")
