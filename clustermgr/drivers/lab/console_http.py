"""The little of HTTP that the host console needs, on ASGI and the standard library alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

BODY_LIMIT = 16 * 1024
_FIELDS_LIMIT = 40
_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
}
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    host: str = ""
    origin: str = ""

    @property
    def from_elsewhere(self) -> bool:
        """Whether a browser says that another site sent this."""
        return bool(self.origin) and urlsplit(self.origin).netloc != self.host


@dataclass(frozen=True, slots=True)
class Response:
    body: str = ""
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


class HttpError(Exception):
    """The request cannot be answered; `sentence` is for whoever sent it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def redirect(to: str, *headers: tuple[str, str]) -> Response:
    return Response(status=303, headers=(("location", to), *headers))


def asgi(
    answer: Callable[[Request], Response], refuse: Callable[[HttpError], Response]
) -> Callable[..., Any]:
    """An ASGI application that answers with a plain function, in a thread of its own."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            try:
                request = await _read(scope, receive)
                response = await asyncio.to_thread(answer, request)
            except HttpError as error:
                response = refuse(error)
            await _send(send, response, with_body=scope["method"] != "HEAD")
        else:
            await send({"type": "websocket.close", "code": 1000})

    return app


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _read(scope: Scope, receive: Receive) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    form: dict[str, str] = {}
    if scope["method"] == "POST":
        if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raise HttpError(415, "Only plain forms are understood here.")
        form = _fields(await _body(headers, receive))
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=_fields(scope.get("query_string", b"")),
        form=form,
        cookies=_cookies(headers.get("cookie", "")),
        host=headers.get("host", ""),
        origin=headers.get("origin", ""),
    )


async def _body(headers: dict[str, str], receive: Receive) -> bytes:
    announced = headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > BODY_LIMIT:
        raise HttpError(
            413, f"The form is too large: at most {BODY_LIMIT} bytes are taken. Nothing was changed."
        )
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HttpError(400, "The form did not arrive whole. Nothing was changed.")
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            raise HttpError(
                413, f"The form is too large: at most {BODY_LIMIT} bytes are taken. Nothing was changed."
            )
        if not message.get("more_body"):
            return body


def _fields(text: bytes) -> dict[str, str]:
    try:
        parsed = parse_qs(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_LIMIT
        )
    except ValueError as error:
        raise HttpError(400, "The form cannot be read. Nothing was changed.") from error
    return {name: values[-1] for name, values in parsed.items()}


def _cookies(text: str) -> dict[str, str]:
    """By hand: one odd cookie of another program on this machine must not hide all the others."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


async def _send(send: Send, response: Response, *, with_body: bool) -> None:
    body = response.body.encode()
    headers = {**_HEADERS, "content-type": response.kind, "content-length": str(len(body))}
    pairs = [
        (name.encode(), value.encode("latin-1")) for name, value in (*headers.items(), *response.headers)
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body if with_body else b""})
