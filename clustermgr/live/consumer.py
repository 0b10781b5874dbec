"""The socket of one browser tab: topics in, frames out. Commands never travel over it (ui.md 3.1)."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.db import DatabaseError
from django.utils.translation import get_language

from clustermgr import meters
from clustermgr.access import Actor, role_of
from clustermgr.live import hub as hubs
from clustermgr.live.assets import asset_version
from clustermgr.live.frame import everything_stale
from clustermgr.live.mailbox import HIDDEN, IN_SIGHT, Mailbox
from clustermgr.ports import clock
from clustermgr.queries import live as queries

LONGEST_MESSAGE = 2048
MOST_TOPICS = 8
MOST_MESSAGES, PER_SECONDS = 40, 10.0
RIGHTS_S = 10.0

BAD_MESSAGE, SIGN_IN, NOT_ALLOWED, TOO_LONG, TOO_MANY = 4400, 4401, 4403, 1009, 4429


class LiveConsumer(AsyncWebsocketConsumer):
    """Closes with 4400 (message not understood), 4401 (signed out), 4403 (no right), 1009, 4429."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mailbox = Mailbox()
        self.topics: set[int] = set()
        self.heard, self.heard_since = 0, clock().monotonic()
        self.tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """However it ends, be it by a query that fails, nothing of it goes on and it is counted no more."""
        meters.SOCKETS.inc()
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
            meters.SOCKETS.dec()

    async def connect(self) -> None:
        await self.accept()
        if await self._rights():
            version = await asyncio.to_thread(asset_version)
            await self.send(json.dumps({"hello": {"assets": version}}))
            self.tasks = [asyncio.create_task(job) for job in (self._deliver(), self._watch_rights())]

    def _leave(self) -> None:
        for cluster in self.topics:
            hubs.hub().leave(cluster, self.mailbox)
        self.topics = set()
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _end(self, code: int) -> None:
        """Hang up. Nothing may be sent after the close, so the frames stop first."""
        self._leave()
        await self.close(code)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        message, refused = self._read(text_data)
        if refused:
            await self._end(refused)
        elif message["type"] == "sub":
            await self._subscribe(message)
        elif message["type"] == "unsub":
            self._unsubscribe(message)
        elif message["type"] == "rate":
            self.mailbox.pause = HIDDEN if message.get("hidden") else IN_SIGHT
            self.mailbox.arrived.set()

    # -- what the page says -------------------------------------------------------------------------------

    def _read(self, text: str | None) -> tuple[dict[str, Any], int]:
        """The message, or the code to close with."""
        now = clock().monotonic()
        if now - self.heard_since > PER_SECONDS:
            self.heard, self.heard_since = 0, now
        self.heard += 1
        if self.heard > MOST_MESSAGES:
            return {}, TOO_MANY
        if text is None:
            return {}, BAD_MESSAGE
        if len(text) > LONGEST_MESSAGE:
            return {}, TOO_LONG
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return {}, BAD_MESSAGE
        if not isinstance(message, dict) or message.get("type") not in ("sub", "unsub", "rate", "pong"):
            return {}, BAD_MESSAGE
        return message, 0

    async def _subscribe(self, message: dict[str, Any]) -> None:
        clusters, since = _clusters(message.get("topics")), message.get("cur", 0)
        if clusters is None or not isinstance(since, int):
            return await self._end(BAD_MESSAGE)
        if not await self._rights():
            return None
        if len(self.topics | clusters) > MOST_TOPICS:
            return await self._end(NOT_ALLOWED)
        versions = await database_sync_to_async(queries.versions)(clusters)
        if set(versions) != clusters:
            return await self._end(NOT_ALLOWED)
        for cluster, version in versions.items():
            told = hubs.hub().join(cluster, version, self.mailbox, get_language() or settings.LANGUAGE_CODE)
            self.topics.add(cluster)
            if since < told:
                frame = everything_stale(told, hubs.now_text())
                self.mailbox.put(frame, frame.text())
        hubs.hub().start()

    def _unsubscribe(self, message: dict[str, Any]) -> None:
        for cluster in (_clusters(message.get("topics")) or set()) & self.topics:
            hubs.hub().leave(cluster, self.mailbox)
            self.topics.discard(cluster)

    # -- what the page hears ------------------------------------------------------------------------------

    async def _deliver(self) -> None:
        """One frame at a time: while the browser is slow to take it, the mailbox merges the next."""
        with suppress(OSError):  # the browser is gone; its disconnect follows
            while True:
                await self.mailbox.arrived.wait()
                text = self.mailbox.take()
                if text is not None:
                    await self.send(text)
                    meters.FRAMES.inc()
                    await self._rest()

    async def _rest(self) -> None:
        """A hidden page sleeps between frames, until the time has passed or it comes into sight."""
        until = clock().monotonic() + self.mailbox.pause
        while self.mailbox.pause and (left := until - clock().monotonic()) > 0:
            await hubs.passed(min(left, 0.5))

    # -- rights -------------------------------------------------------------------------------------------

    async def _watch_rights(self) -> None:
        allowed = True
        while allowed:
            await hubs.passed(RIGHTS_S)
            with suppress(DatabaseError):  # asked again as soon as it answers: the guard itself never ends
                allowed = await self._rights()

    async def _rights(self) -> bool:
        """Read the session and the role afresh; close, and say why, when either does not reach."""
        key = getattr(self.scope.get("session"), "session_key", None)
        # One visit to the database: a hundred tabs that come back at once ask this at once.
        refused = await database_sync_to_async(_refused)(key)
        if refused:
            await self._end(refused)
        return not refused


def _refused(session_key: str | None) -> int:
    """The code to close with when this session may not look; 0 when it may."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    user: Any = get_user(SimpleNamespace(session=store(session_key)))  # type: ignore[arg-type]
    if not user.is_authenticated:
        return SIGN_IN
    return 0 if Actor(user.get_username(), role_of(user), "socket", user).may("view") else NOT_ALLOWED


def _clusters(topics: Any) -> set[int] | None:
    """["cluster:1"] -> {1}; None for anything else."""
    if not isinstance(topics, list) or not 0 < len(topics) <= MOST_TOPICS:
        return None
    found: set[int] = set()
    for topic in topics:
        kind, _, number = topic.partition(":") if isinstance(topic, str) else ("", "", "")
        with suppress(ValueError):
            if kind == "cluster" and number.isascii() and number.isdigit() and len(number) < 10:
                found.add(int(number))
    return found if len(found) == len(topics) else None
