"""Somebody who is signed in at a running console, without a browser: pages as text, the socket's frames."""

from __future__ import annotations

import http.cookiejar
import json
import re
from collections.abc import Generator
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

from websockets.sync.client import connect

TIMEOUT_S = 40


class Browser:
    """`get("/c/prod-cl1/")` a page's text; `frames()` what it is told over its socket."""

    def __init__(self, url: str, password: str, name: str = "admin") -> None:
        self.url = url
        self._jar = http.cookiejar.CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._jar))
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get("/sign-in/"))
        assert token
        form = {"username": name, "password": password, "csrfmiddlewaretoken": token.group(1)}
        with self._opener.open(f"{url}/sign-in/", urlencode(form).encode(), timeout=TIMEOUT_S) as answer:
            assert "/sign-in/" not in answer.url

    def get(self, where: str) -> str:
        """Raises HTTPError for what is no page."""
        with self._opener.open(self.url + where, timeout=TIMEOUT_S) as answer:
            return str(answer.read().decode())

    def frames(self, cluster: int = 1) -> Generator[dict[str, Any], None, None]:
        cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)
        headers = {"Cookie": cookie, "Origin": self.url}
        with connect(self.url.replace("http", "ws") + "/ws/ui/", additional_headers=headers) as socket:
            socket.recv(timeout=10)
            socket.send(json.dumps({"type": "sub", "topics": [f"cluster:{cluster}"], "cur": 0}))
            while True:
                yield json.loads(socket.recv(timeout=15))

    def percents(self, operation: int) -> Generator[float, None, None]:
        """An operation's percentages, as they are pushed."""
        for frame in self.frames():
            for key, fields in frame.get("patch", ()):
                if key == f"operation:{operation}" and fields and "percent" in fields:
                    yield fields["percent"]
