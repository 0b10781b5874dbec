"""The watch of one cluster: an eye per node in a thread of its own, and one loop that judges and records.

Only the loop touches rows; the eyes put what they read into a queue. Heartbeats stay in memory."""

from __future__ import annotations

import logging
import queue
import threading
from contextvars import copy_context
from dataclasses import dataclass, field

from django.db import DatabaseError, connection

from clustermgr import logs
from clustermgr.actions import watching
from clustermgr.actions.observations import ClusterGone, Observer
from clustermgr.core.health import INTERVAL, Pulse, Word, beat
from clustermgr.core.readings import Reading
from clustermgr.jobs.eyes import Eye
from clustermgr.jobs.hosts import way_to
from clustermgr.ports import clock

log = logging.getLogger(__name__)

TICK_S = 0.5


class LeaseLost(Exception):
    """Another watcher took over, because this one was away for too long."""


@dataclass(slots=True)
class Watcher:
    """`owner`: its name on the lease. Without `threads` the caller looks through the eyes himself."""

    cluster_id: int
    owner: str
    threads: bool = True
    eyes: dict[int, Eye] = field(default_factory=dict)
    pulses: dict[int, Pulse] = field(default_factory=dict)
    inbox: queue.SimpleQueue[Reading] = field(default_factory=queue.SimpleQueue)
    observer: Observer = field(init=False)
    _beat_at: float = float("-inf")
    _rows_at: float = float("-inf")
    _over: bool = False
    _followed: int | None = None  # the version whose nodes and VMs the eyes look at

    def __post_init__(self) -> None:
        self.observer = Observer(self.cluster_id)

    def run(self, stopping: threading.Event) -> None:
        """Watch until told to stop, until the lease is lost, or until the cluster is gone."""
        if not watching.take(self.cluster_id, self.owner):
            return
        try:
            while not stopping.is_set():
                self.tick()
                stopping.wait(TICK_S)
        except (LeaseLost, ClusterGone) as end:
            log.warning("the watch of cluster %s ends: %s", self.cluster_id, end.__doc__)
        finally:
            self.close()

    def tick(self) -> None:
        """Take what the eyes read, beat once a second, and record what changed."""
        self.observer.refresh()
        if self._followed != self.observer.view.version:
            self._followed = self.observer.view.version
            self._follow_nodes()
        now = clock().monotonic()
        words = self._beat(now) if now - self._beat_at >= INTERVAL else {}
        self.observer.troubles = {node: eye.trouble for node, eye in self.eyes.items()}
        self.observer.observe(self._taken(), words)
        for node in self.observer.settled & self.eyes.keys():
            self.eyes[node].hurry()
        self.observer.settled.clear()

    def close(self) -> None:
        """End the eyes and give the lease back; an eye that waits for its host ends by its deadline."""
        self._over = True
        for eye in self.eyes.values():
            eye.wake.set()
        try:
            watching.free(self.cluster_id, self.owner)
        except DatabaseError:
            log.warning("the lease of cluster %s could not be given back; it expires", self.cluster_id)
        finally:
            connection.close()

    def _taken(self) -> list[Reading]:
        return [self.inbox.get_nowait() for _ in range(self.inbox.qsize())]

    def _beat(self, now: float) -> dict[int, Word]:
        if not watching.heard(self.cluster_id, self.owner):
            raise LeaseLost
        since, self._beat_at = self._beat_at, now
        for node, eye in self.eyes.items():
            self.pulses[node] = beat(self.pulses.get(node, Pulse()), now, eye.beat(since))
        answering = [
            node for node, pulse in self.pulses.items() if pulse.missed == 0 and pulse.word == Word.ANSWERS
        ]
        self.observer.heard(answering, rows=now - self._rows_at >= watching.NODES_HEARD_S)
        if now - self._rows_at >= watching.NODES_HEARD_S:
            self._rows_at = now
        return {node: pulse.word for node, pulse in self.pulses.items()}

    def _follow_nodes(self) -> None:
        """Eyes for the nodes that there are now, and for each the VMs whose configuration it reads."""
        nodes = self.observer.view.nodes
        for gone in self.eyes.keys() - nodes.keys():
            self._drop(gone)
        for index, node in enumerate(nodes.values()):
            eye = self.eyes.get(node.pk)
            way = way_to(node)
            if eye is not None and eye.way != way:
                self._drop(node.pk)
                eye = None
            if eye is None:
                eye = Eye(node.pk, way, node.host_uuid, not node.taken_in, phase=index / len(nodes))
                self._open(eye)
            if not node.taken_in:
                eye.again()
            eye.wanted = self.observer.wanted_configs(node.pk)

    def _open(self, eye: Eye) -> None:
        self.eyes[eye.node] = eye
        if self.threads:
            run = threading.Thread(
                target=copy_context().run,  # its lines name the cluster, too
                args=(self._look_through, eye, self.observer.view.nodes[eye.node].name),
                name=f"eye-{eye.node}",
                daemon=True,
            )
            run.start()

    def _look_through(self, eye: Eye, name: str) -> None:
        with logs.bound(node=name):
            eye.run(self.inbox.put, lambda: self._over or self.eyes.get(eye.node) is not eye)

    def _drop(self, node: int) -> None:
        self.eyes.pop(node).wake.set()
        self.pulses.pop(node, None)
