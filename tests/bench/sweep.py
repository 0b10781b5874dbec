"""The watch's own code over the large cluster, second by second on a clock that does not wait: what one sweep
takes, and what watching costs while nothing changes. The simulated hosts' own work is in the figures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

from clustermgr.ports import RealClock
from tests.bench import installation
from tests.bench.figures import Figure

SWEEPS = 7
SECONDS = 60
QUICK = {"seconds": 3, "sweeps": 1}


class Leap(RealClock):
    """The real clock, moved on by hand: a minute of watching passes as fast as it is worked off."""

    ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)

    def database_now(self) -> datetime:
        return super().database_now() + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds


class Nobody:
    """A queue from which nobody takes."""

    def enqueue(self, task: str, *args: object, **options: object) -> None:
        pass

    def listening(self) -> set[str]:
        return set()


def measure(seed: Path, folder: Path, *, seconds: int = SECONDS, sweeps: int = SWEEPS) -> Iterator[Figure]:
    shutil.copytree(seed, folder)
    installation.settings_of(folder)
    from clustermgr import ports
    from clustermgr.actions import watching
    from clustermgr.jobs.watcher import Watcher
    from clustermgr.models import Cluster

    leap = Leap()
    ports.install(clock=leap, runner=Nobody())
    watcher = Watcher(Cluster.objects.get().pk, "bench", threads=False)
    assert watching.take(watcher.cluster_id, watcher.owner)
    for _ in range(seconds + 10):  # every configuration is read once; from then on nothing is news
        second(watcher, leap)
    began, cost = time.process_time(), []
    for _ in range(seconds):
        second(watcher, leap)
    share = 100 * (time.process_time() - began) / seconds
    for _ in range(sweeps):
        cost.append(sweep(watcher, leap))
    watcher.close()
    name = "simulated hosts, nothing changes"
    yield Figure("state sweep of all nodes and VMs", median(wall for wall, _ in cost), "s", 1, note=name)
    yield Figure("state sweep, processor", median(cpu for _, cpu in cost), "s", note=name)
    yield Figure("watching at a 5 s interval, share of a core", share, "%", 10, note=name)


def second(watcher: object, leap: Leap) -> None:
    """What one second brings: a heartbeat of every node, the looks that are due, and two ticks."""
    for eye in list(watcher.eyes.values()):
        for reading in eye.look():
            watcher.inbox.put(reading)
    watcher.tick()
    leap.ahead += 0.5
    watcher.tick()
    leap.ahead += 0.5


def sweep(watcher: object, leap: Leap) -> tuple[float, float]:
    """(wall, processor) seconds to look at everything once and to compare it."""
    leap.ahead += 0.01
    for eye in watcher.eyes.values():
        eye.hurry()
    wall, cpu = time.perf_counter(), time.process_time()
    for eye in watcher.eyes.values():
        for reading in eye.look():
            watcher.inbox.put(reading)
    watcher.tick()
    return time.perf_counter() - wall, time.process_time() - cpu
