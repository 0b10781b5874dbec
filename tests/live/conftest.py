"""A hub that queries in the test's own connection and hears only what the test tells it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import channels.db
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.test import Client

from clustermgr.live import hub as hubs
from clustermgr.live.feed import Feed, Hear
from clustermgr.live.hub import Hub
from clustermgr.live.mailbox import Mailbox


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket's queries stay within the test's transaction: it is not hung up between two of them.

    SQLite in memory ignores a close, PostgreSQL does not.
    """
    monkeypatch.setattr(channels.db, "close_old_connections", lambda: None)


class SilentFeed(Feed):
    """Redis that says nothing; `connected` is the test's to choose."""

    async def run(self, hear: Hear) -> None:
        """Nothing ever arrives by itself."""


async def ask(function: Callable[..., Any], *args: Any) -> Any:
    return await sync_to_async(function)(*args)


def make_hub(*, connected: bool = True) -> Hub:
    feed = SilentFeed()
    feed.connected = connected
    return Hub(ask=ask, feed=feed)


def run(story: Callable[[], Awaitable[Any]]) -> Any:
    """Play an async story; its queries use the connection of the test."""
    return async_to_sync(story)()


def in_tab(user: Any, story: Callable[[Tab], Awaitable[Any]], **options: Any) -> Any:
    """Play a story in a tab that is connected and was greeted (or told why not)."""
    tab = Tab(user, **options)

    async def opened() -> Any:
        async with tab:
            return await story(tab)

    return run(opened)


def taken(box: Mailbox) -> dict[str, Any]:
    text = box.take()
    return json.loads(text) if text else {}


class Tab:
    """One browser tab: `async with Tab(user) as tab`, then `say` and `hear`."""

    def __init__(self, user: Any = None, *, origin: str = "http://localhost") -> None:
        client = Client()
        if user is not None:
            client.force_login(user)
        self.client = client
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        self.headers = [(b"origin", origin.encode()), (b"host", b"localhost"), (b"cookie", cookie.encode())]

    async def __aenter__(self) -> Tab:
        from clustermgr.asgi import application

        self.hub = hubs.install(make_hub())
        scope = {"type": "websocket", "path": "/ws/ui/", "query_string": b"", "headers": self.headers}
        self.socket = ApplicationCommunicator(application, {**scope, "subprotocols": []})
        await self.socket.send_input({"type": "websocket.connect"})
        answer = await self.socket.receive_output(timeout=5)
        self.accepted = answer["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1005})
        await self.socket.wait(timeout=5)
        self.hub.stop()

    async def say(self, text: str | None = None, binary: bytes | None = None, **message: Any) -> None:
        if binary is None and text is None:
            text = json.dumps(message)
        await self.socket.send_input({"type": "websocket.receive", "text": text, "bytes": binary})

    async def hear(self) -> dict[str, Any]:
        """The next message; `{"closed": code}` when the server hung up instead."""
        output = await self.socket.receive_output(timeout=5)
        if output["type"] == "websocket.close":
            return {"closed": output.get("code")}
        return json.loads(output["text"])
