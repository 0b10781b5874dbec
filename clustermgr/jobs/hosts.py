"""The one place where a node's row becomes a connection to its host, and to no other. Its secrets are opened
here alone."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field

from clustermgr.drivers import registry
from clustermgr.drivers.contract import (
    AgentDown,
    Credentials,
    DriverError,
    HostDriver,
    HostUnreachable,
    Refused,
)
from clustermgr.models import Node, NodeAccess
from clustermgr.secrets import SealBroken, unseal

DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class Way:
    """How a host is reached, as plain values that a thread without a database may keep. Two are equal when
    the same host is signed in to in the same manner. `host_uuid`: who must answer, where that is known."""

    driver: str
    address: str
    sealed: str = field(default="", repr=False)
    host_key: str = ""
    host_uuid: str = field(default="", compare=False)

    def open(self, deadline: float = DEADLINE_S) -> HostDriver:
        """A new connection. `deadline`: seconds for each call. Raises HostUnreachable, also where another
        host answers; AgentDown also where the host does not let us in: it is there, but nothing of it is
        seen, and nothing was begun on it."""
        try:
            given = opened(self.sealed, self.host_key)
            host = registry.connect(self.driver, self.address, credentials=given, deadline=deadline)
            return self._proved(host) if self.host_uuid else host
        except HostUnreachable:
            raise
        except DriverError as error:
            raise AgentDown(error.sentence, raw=error.raw) from error

    def _proved(self, host: HostDriver) -> HostDriver:
        try:
            must_be(self.host_uuid, host.ping(), self.address)
        except DriverError:
            with contextlib.suppress(DriverError):
                host.close()
            raise
        return host


def must_be(known: str, found: str, address: str) -> None:
    """Another host's answer is none: what it says of a VM rules out no copy. Raises HostUnreachable."""
    if found != known:
        raise HostUnreachable(f"Another host ({found}) answers at {address}.")


def way_to(node: Node) -> Way:
    """The way to a node as its rows say now; a node without access of its own takes the workers' account."""
    access: NodeAccess | None = getattr(node, "access", None)
    if access is None:
        return Way(node.driver, node.address, host_uuid=node.host_uuid)
    return Way(node.driver, node.address, access.credentials, access.host_key, node.host_uuid)


def connect_to(node: Node, *, deadline: float = DEADLINE_S) -> HostDriver:
    """Open one connection to a node's host. Raises HostUnreachable, AgentDown."""
    return way_to(node).open(deadline)


def opened(sealed: str, host_key: str) -> Credentials:
    """What was sealed, as the driver takes it. Raises Refused when its key is missing here."""
    try:
        given = json.loads(unseal(sealed)) if sealed else {}
    except SealBroken as broken:
        raise Refused(f"What this host is signed in to with cannot be opened. {broken}") from None
    known = asdict(Credentials())
    return Credentials(
        **{name: str(given.get(name, "")) for name in known if name != "host_key"}, host_key=host_key
    )
