"""A page made by the test and a server played by the test: what live.js does, with no console behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STATIC = Path(__file__).resolve().parents[2] / "static"
SITE = "http://live.test"
CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"

SHELL = """<!doctype html><html lang="en"><head><title>t</title></head>
<body data-cluster="1" data-cursor="4" data-live-url="/c/c1/live">
<header><span id="live-pill"><span data-live-text>Not live</span></span></header>
<div id="live-bar" hidden></div>
{body}
<div id="announcer" role="status"></div>
<script src="/static/js/live.js"></script></body></html>"""


class Stub:
    """Serves one page; `send` is the server's side of the socket; `asked` lists what the page fetched."""

    def __init__(self, page: Any, body: str, *, answering: bool = True) -> None:
        self.page, self.body = page, body
        self.answering = answering
        self.heard: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}
        self.sockets: list[Any] = []
        page.route(f"{SITE}/**", self._answer)
        page.route_web_socket("ws://live.test/ws/ui/", self._connect)
        page.goto(f"{SITE}/page")

    def send(self, **frame: Any) -> None:
        """One frame; returns when the page has applied it."""
        number = self.page.evaluate("clustermgrLive.applied")
        self.sockets[-1].send(json.dumps({"at": "2026-03-02T12:00:00.000Z", "cur": 4, **frame}))
        if set(frame) & {"patch", "html", "stale"}:
            self.page.wait_for_function("n => clustermgrLive.applied > n", arg=number)

    def hang_up(self, code: int = 1001) -> None:
        self.sockets[-1].close(code=code)

    def state(self, name: str) -> None:
        self.page.wait_for_function("n => clustermgrLive.state === n", arg=name)

    def _connect(self, socket: Any) -> None:
        if not self.answering:
            socket.close(code=1011)
            return
        self.sockets.append(socket)
        socket.on_message(lambda text: self._hear(json.loads(text)))
        socket.send(json.dumps({"hello": {"assets": self.answers.get("assets", "a1")}}))

    def _hear(self, message: dict[str, Any]) -> None:
        self.heard.append(message)
        if message["type"] == "sub":
            self.sockets[-1].send(json.dumps({"cur": 4, "at": "2026-03-02T12:00:00.000Z"}))

    def _answer(self, route: Any) -> None:
        path = route.request.url.removeprefix(SITE)
        if path == "/page":
            headers = {"content-type": "text/html", "content-security-policy": CSP}
            return route.fulfill(body=SHELL.format(body=self.body), headers=headers)
        if path.startswith("/static/"):
            return route.fulfill(path=STATIC / path.removeprefix("/static/"))
        self.asked.append(path)
        answer = self.answers.get(path.partition("?")[0])
        if answer is None:
            return route.abort()
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return route.fulfill(status=status, body=body, headers={"content-type": "text/html"})
