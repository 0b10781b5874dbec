"""Who may open the socket: pages of this console alone, on the very host and port that they came from."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings


class SameOrigin:
    """Cookies do not know ports, so the name alone would let any other program on this machine listen in.

    A proxy that speaks TLS may change the port or the Host header; then the names that forms trust count.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        headers = dict(scope.get("headers", []))
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        own = bool(origin) and urlsplit(origin).netloc == host
        if own or origin in settings.CSRF_TRUSTED_ORIGINS:
            return await self.application(scope, receive, send)
        return await WebsocketDenier()(scope, receive, send)
