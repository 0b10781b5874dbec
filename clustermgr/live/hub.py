"""One hub per web process: notices in, frames out, at most four a second per cluster (design.md 7).

It holds no truth. What Redis loses, the comparison with the database finds within two seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from clustermgr import meters
from clustermgr.live import fragments
from clustermgr.live.announce import Announcer, Told
from clustermgr.live.feed import Feed
from clustermgr.live.frame import EVERYTHING, Frame
from clustermgr.live.mailbox import Mailbox
from clustermgr.live.news import News, Taken
from clustermgr.live.thread import in_own_thread
from clustermgr.notices import Changed, Progress
from clustermgr.ports import clock
from clustermgr.queries import live as queries

TICK_S = 0.25
REST_S = 0.05
COMPARE_S = 1.0
log = logging.getLogger(__name__)
Ask = Callable[..., Awaitable[Any]]


@dataclass(slots=True)
class Room:
    """Everybody in this process who looks at one cluster."""

    news: News
    announcer: Announcer = field(default_factory=Announcer)
    listeners: dict[Mailbox, str] = field(default_factory=dict)

    @property
    def languages(self) -> set[str]:
        return set(self.listeners.values())


class Hub:
    """`ask` runs a function that may query, away from the event loop."""

    def __init__(self, *, ask: Ask = in_own_thread, feed: Feed | None = None) -> None:
        self.rooms: dict[int, Room] = {}
        self.feed = feed or Feed()
        self._ask = ask
        self._anything = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    # -- who listens --------------------------------------------------------------------------------------

    def join(self, cluster: int, version: int, mailbox: Mailbox, language: str) -> int:
        """Let a browser listen; answers the version that the others in the room know."""
        room = self.rooms.setdefault(cluster, Room(News.since(version)))
        room.listeners[mailbox] = language
        return room.news.told

    def leave(self, cluster: int, mailbox: Mailbox) -> None:
        room = self.rooms.get(cluster)
        if room is not None:
            room.listeners.pop(mailbox, None)
            if not room.listeners:
                del self.rooms[cluster]
        if not self.rooms:
            self.stop()

    def start(self) -> None:
        """Run while somebody listens; harmless when it runs already."""
        if not self._tasks:
            jobs = (self.feed.run(self.hear), self._ticks(), self._comparisons())
            self._tasks = [asyncio.create_task(job) for job in jobs]

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    @property
    def alive(self) -> bool:
        """Whether whoever listens will hear: nobody does, or all tasks run."""
        return not self.rooms or (bool(self._tasks) and not any(task.done() for task in self._tasks))

    # -- news in ------------------------------------------------------------------------------------------

    def hear(self, notice: Changed | Progress) -> None:
        room = self.rooms.get(notice.cluster)
        if room is None:
            return
        if isinstance(notice, Changed):
            room.news.changed(notice)
        else:
            room.news.progress(notice)
        self._anything.set()

    async def compare(self) -> None:
        """Hold every cursor against the database; then the heartbeat, which carries the version told."""
        versions = await self._ask(queries.versions, list(self.rooms))
        for cluster, room in list(self.rooms.items()):
            known = room.news.lost
            room.news.compare(versions.get(cluster, room.news.cursor), patient=self.feed.connected)
            meters.LOST.inc(room.news.lost and not known)
            if room.news.waiting:
                self._anything.set()
            self._send(room, Frame(cur=room.news.told, at=now_text()))

    # -- frames out ---------------------------------------------------------------------------------------

    async def tick(self) -> None:
        self._anything.clear()
        for cluster, room in list(self.rooms.items()):
            if room.news.waiting:
                await self._flush(cluster, room)

    async def _flush(self, cluster: int, room: Room) -> None:
        new = room.news.take()
        cursor = room.news.told
        for language in room.languages:
            shown = await self._render(cluster, new, language)
            self._note(room, shown, new.progress)
            frame = Frame(
                cur=cursor,
                at=now_text(),
                patch=shown.patch,
                html=shown.html,
                stale=(EVERYTHING,) if new.lost else _stale(new, shown),
                say=room.announcer.due(clock().monotonic()),
            )
            self._send(room, frame, language)

    async def _render(self, cluster: int, new: Taken, language: str) -> fragments.Shown:
        subjects = [*new.subjects, *new.samples]
        try:
            return await self._ask(fragments.render, cluster, subjects, new.progress, language)
        except Exception:  # a broken row must not silence the rest: the pages fetch for themselves
            log.exception("rows of cluster %s could not be rendered", cluster)
            return fragments.Shown()

    def _note(self, room: Room, shown: fragments.Shown, progress: list[Progress]) -> None:
        room.news.settled([told.id for told in shown.settled])
        for told in shown.operations:
            room.announcer.changed(Told(told.id, told.kind, told.vm, told.state))
        for notice in progress:
            percent = notice.figures.get("percent")
            if isinstance(percent, int | float):
                room.announcer.figures(notice.operation, percent)

    def _send(self, room: Room, frame: Frame, language: str | None = None) -> None:
        text = frame.text()
        for mailbox, spoken in room.listeners.items():
            if language in (None, spoken):
                mailbox.put(frame, text)

    # -- the two rhythms ----------------------------------------------------------------------------------

    async def _ticks(self) -> None:
        while True:
            await self._anything.wait()
            began = clock().monotonic()
            await _survive(self.tick)
            took = clock().monotonic() - began
            if took > TICK_S:
                meters.LATE.inc()
            # From beginning to beginning: what a tick takes makes no figure late. A slow one still rests.
            await passed(max(REST_S, TICK_S - took))

    async def _comparisons(self) -> None:
        while True:
            await passed(COMPARE_S)
            await _survive(self.compare)


def _stale(new: Taken, shown: fragments.Shown) -> tuple[str, ...]:
    """Keys of what changed. A sample's ends in "~": it makes stale what shows that one subject, not lists."""
    samples = [f"{subject}~" for subject in new.samples]
    drawn = [key for key in shown.html if key not in new.samples]
    return tuple(dict.fromkeys((*new.subjects, *drawn, *samples)))


async def passed(seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


async def _survive(work: Callable[[], Awaitable[None]]) -> None:
    """A database that is away for a moment costs a round, not the hub."""
    try:
        await work()
    except Exception as error:
        log.warning("live news: %s", error)


def now_text() -> str:
    return clock().now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub() -> Hub:
    """The hub of this process (of this event loop: tests have several)."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        install(Hub())
    return _hubs[loop]


def install(hub: Hub) -> Hub:
    """Make it the hub of the running event loop."""
    _hubs.clear()
    _hubs[asyncio.get_running_loop()] = hub
    return hub
