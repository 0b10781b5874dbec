"""Bodies: nothing larger than a form is taken in, whatever it says of its kind or size. Before Django."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
#: Read and thrown away, so that a browser sees an answer and not a broken connection.
PATIENCE = 32 * 1024 * 1024
FORM = b"application/x-www-form-urlencoded"


class BodyLimit:
    """Django counts neither files nor chunked bodies, and would keep each on disk first.

    A body that is too large reaches it as an empty form of that size, which it refuses in words.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        if scope["type"] != "http":
            return await self.application(scope, receive, send)
        body, size, arrived = await _read(receive)
        if not arrived:
            return None
        if size > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            scope, body = {**scope, "headers": _sized(scope["headers"], size)}, b""
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return first.pop() if first else await receive()

        await self.application(scope, again, send)


async def _read(receive: Receive) -> tuple[bytes, int, bool]:
    """The body as far as it may go, its size, and whether the sender stayed until its end."""
    parts, size, more = [], 0, True
    while more and size <= PATIENCE:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"", 0, False
        part = message.get("body", b"")
        size += len(part)
        more = message.get("more_body", False)
        if size <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            parts.append(part)
    return b"".join(parts), size, True


def _sized(headers: list[tuple[bytes, bytes]], size: int) -> list[tuple[bytes, bytes]]:
    told = {b"content-type": FORM, b"content-length": str(size).encode()}
    return [*((name, value) for name, value in headers if name.lower() not in told), *told.items()]
