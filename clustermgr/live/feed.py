"""Notices from Redis, for as long as it is there; back-off while it is not. It never raises."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import redis
import redis.asyncio
from django.conf import settings

from clustermgr import meters, notices
from clustermgr.notices import Changed, Progress

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
#: The longest silence before the connection itself is asked whether it lives.
QUIET_S = 5.0
log = logging.getLogger(__name__)
Hear = Callable[[Changed | Progress], None]


class Feed:
    """`connected` tells the hub whether a missing notice may still be on its way."""

    def __init__(self) -> None:
        self.connected = False

    async def run(self, hear: Hear) -> None:
        try:
            await self._run(hear)
        finally:
            self._tell(False)

    async def _run(self, hear: Hear) -> None:
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self._listen(hear)
            except (redis.RedisError, OSError, ValueError) as error:
                pause = FIRST_PAUSE_S if self.connected else min(pause * 2, LONGEST_PAUSE_S)
                self._lost(error)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await asyncio.Event().wait()

    async def _listen(self, hear: Hear) -> None:
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=QUIET_S
        )
        async with client, client.pubsub() as channel:
            await channel.subscribe(notices.CHANNEL)
            self._tell(True)
            while True:
                message = await channel.get_message(timeout=QUIET_S)
                if message and message["type"] == "message":
                    notice = notices.decode(message["data"])
                    if notice is not None:
                        hear(notice)

    def _lost(self, error: Exception) -> None:
        if self.connected:
            log.warning("Redis is away, pages follow the database meanwhile: %s", error)
        self._tell(False)

    def _tell(self, connected: bool) -> None:
        self.connected = connected
        meters.REDIS.set(connected)
