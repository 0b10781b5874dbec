"""One pair of eyes per node: a driver connection of its own, looked through once a second.

Every call counts as a heartbeat, so a slow answer delays only this node's next look, never another node and
never its verdict. Knows no rows; what it reads goes to the watcher."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from clustermgr.core.health import INTERVAL, Beat
from clustermgr.core.readings import Reading
from clustermgr.drivers.contract import AgentDown, DriverError, HostDriver, HostUnreachable
from clustermgr.jobs import readings
from clustermgr.jobs.hosts import Way, must_be
from clustermgr.jobs.stock import Stock
from clustermgr.jobs.turns import CONFIGS_LEAST_S, Turns
from clustermgr.ports import clock

log = logging.getLogger(__name__)
T = TypeVar("T")

DEADLINE_S = 4.0
LOOK_S = 5.0


@dataclass(slots=True)
class Eye:
    """`known`: the host's UUID, where the cluster knows it. `fresh`: nothing was read of this host yet, so
    the first look is a whole inventory. `phase` (0..1) spreads the looks of many nodes over their period."""

    node: int
    way: Way
    known: str = ""
    fresh: bool = True
    phase: float = 0.0
    wanted: frozenset[str] = frozenset()  # the cluster's VMs here; set by the watcher
    wake: threading.Event = field(default_factory=threading.Event)
    asked_at: float | None = None
    answered_at: float = float("-inf")
    failed_at: float = float("-inf")
    refused: bool = False
    trouble: str = ""  # why it saw nothing the last time
    _host: HostDriver | None = None
    _look_at: float = float("-inf")
    _whole_at: float = float("-inf")
    _turns: Turns = field(default_factory=Turns)
    _stock: Stock = field(init=False)

    def __post_init__(self) -> None:
        self._stock = Stock(self.node)

    # -- for the watcher's thread --
    def beat(self, since: float) -> Beat:
        """What happened since the last beat. Plain attributes, each written by one thread."""
        heard, failed = self.answered_at > since, self.failed_at > since
        return Beat(heard=heard, failed=failed, refused=self.refused, asked=self.asked_at)

    def again(self) -> None:
        """Read the whole host once more: it was not taken in."""
        if clock().monotonic() - self._whole_at >= CONFIGS_LEAST_S:
            self.fresh = True

    def hurry(self) -> None:
        """Look at the VMs now: something has just changed here."""
        self._look_at = float("-inf")
        self.wake.set()

    # -- for its own thread --
    def run(self, put: Callable[[Reading], None], stopping: Callable[[], bool]) -> None:
        while not stopping():
            began = clock().monotonic()
            for reading in self.look():
                put(reading)
            self.wake.wait(max(0.05, began + INTERVAL - clock().monotonic()))
            self.wake.clear()
        self._close()

    def look(self) -> Iterator[Reading]:
        """One interval's look: a ping, and what else is due. Failures are remembered, not raised."""
        try:
            yield from self._look()
            self.trouble = ""
        except AgentDown as error:
            self._failed(error.sentence, refused=True)
        except HostUnreachable as error:
            self._failed(error.sentence)
        except DriverError as error:
            self._note(error.sentence)  # the host answered; this reading is made good by the next look
        except Exception:
            # A fault in a driver must cost one look, not the watching of this node.
            log.exception("looking at node %s failed", self.node)
            self._failed("fault")

    def _look(self) -> Iterator[Reading]:
        opening = self._host is None
        host, uuid = self._ask(self._reach)
        if self.fresh:
            yield from self._whole(host, uuid)
        elif opening:
            yield readings.facts(self.node, self._ask(host.facts))
        yield from self._due(host)

    def _whole(self, host: HostDriver, uuid: str) -> Iterator[Reading]:
        """The whole inventory; while the host's storage does not answer only that."""
        now = clock().monotonic()
        if self._stock.trouble and now < self._stock.due_at:
            return
        seen = self._stock.read(host, self._ask, now)
        if seen.trouble:
            yield seen
            return
        found = self._ask(lambda: readings.inventory(self.node, host, configs=True, volumes_seen=seen))
        self.known, self.fresh, self._whole_at = uuid, False, clock().monotonic()
        yield found

    def _reach(self) -> tuple[HostDriver, str]:
        """The connection, proved by a ping. Another host's answer is none."""
        if self._host is None:
            self._host = self.way.open(DEADLINE_S)
        uuid = self._host.ping()
        if self.known:
            must_be(self.known, uuid, self.way.address)
        return self._host, uuid

    def _due(self, host: HostDriver) -> Iterator[Reading]:
        now = clock().monotonic()
        if now >= self._look_at:
            first = self._look_at == float("-inf")
            self._look_at = now + LOOK_S * (self.phase if first and self.phase else 1.0)
            found = self._ask(lambda: readings.look(self.node, host))
            self._turns.seen = found.seen
            yield found
            yield readings.load(self.node, self._ask(host.sample))
        if now >= self._stock.due_at:
            yield self._stock.read(host, self._ask, now)
        # A configuration names the volumes of its disks, so it is read from the storage, too.
        for uuid in () if self._stock.trouble else self._turns.due(now, self.wanted):
            config = self._ask(partial(readings.config, self.node, uuid, host))
            if config is not None:
                yield config

    def _ask(self, call: Callable[[], T]) -> T:
        """Make one call. Any answer, even a refusal, is a sign of life."""
        self.asked_at = clock().monotonic()
        try:
            answer = call()
        except HostUnreachable:
            raise
        except DriverError:
            self._answered()
            raise
        self._answered()
        return answer

    def _answered(self) -> None:
        self.answered_at = clock().monotonic()
        self.asked_at = None

    def _failed(self, sentence: str, *, refused: bool = False) -> None:
        self._note(sentence)
        self.refused = refused
        self.failed_at = clock().monotonic()
        self.asked_at = None
        self._look_at = float("-inf")
        self._stock.reopened()
        self._close()

    def _note(self, sentence: str) -> None:
        if sentence != self.trouble:
            log.warning("node %s (%s): %s", self.node, self.way.address, sentence)
        self.trouble = sentence

    def _close(self) -> None:
        host, self._host = self._host, None
        if host is not None:
            with contextlib.suppress(DriverError):
                host.close()
