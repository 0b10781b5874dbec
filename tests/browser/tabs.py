"""Many browser tabs without a screen: each does what live.js does with its socket, and remembers when.

`with Tabs(stack, cluster, address, numbers) as tabs:` they run in a thread with an event loop of its own.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from types import TracebackType
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

#: live.js: seconds before the first attempt at most, and before any other.
FIRST_S, LONGEST_S = 0.5, 5.0


def sign_in(url: str, name: str, password: str) -> str:
    """The Cookie header of somebody who signed in by the form."""
    jar = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    form = browser.open(f"{url}/sign-in/", timeout=10).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token, "the sign-in page has no form"
    fields = {"csrfmiddlewaretoken": token.group(1), "username": name, "password": password}
    answer = browser.open(f"{url}/sign-in/", urllib.parse.urlencode(fields).encode(), timeout=20)
    assert "/sign-in/" not in answer.url, f"{name} could not sign in"
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


ROW = re.compile(r'<tr id="vm-(\d+)-row"')


def _of_roles(key: str) -> bool:
    """Whether a list of roles is fetched for it: not for a sample (processor, memory) of one of them."""
    return key == "*" or (key.startswith("vm:") and not key.endswith("~"))


@dataclass
class Tab:
    """`shown`: its region, the list of roles, as it stands; `true_at`: when that first was as `truth` wants.

    Times are of the monotonic clock.
    """

    url: str
    cluster: int
    region: str
    cookie: str
    pool: ThreadPoolExecutor
    cursor: int = 0
    shown: str = ""
    truth: Callable[[str], bool] = bool
    true_at: float = 0.0
    live: bool = False
    tried_at: list[float] = field(default_factory=list)
    opened_at: list[float] = field(default_factory=list)
    tries: int = 0

    async def run(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, WebSocketException, InvalidHandshake, TimeoutError):
                self.live = False
            self.tries += 1
            await asyncio.sleep(random.random() * min(LONGEST_S, FIRST_S * 2 ** (self.tries - 1)))

    async def _listen(self) -> None:
        address = "ws" + self.url.removeprefix("http") + "/ws/ui/"
        words = {"Cookie": self.cookie}
        self.tried_at.append(time.monotonic())
        plain: dict[str, Any] = {"compression": None, "ping_interval": None, "close_timeout": 1}
        async with connect(address, additional_headers=words, origin=self.url, **plain) as socket:
            self.opened_at.append(time.monotonic())
            async for text in socket:
                await self._hear(socket, json.loads(text))
        self.live = False

    async def _hear(self, socket: Any, message: dict[str, Any]) -> None:
        if "hello" in message:
            words = {"type": "sub", "topics": [f"cluster:{self.cluster}"], "cur": self.cursor}
            return await socket.send(json.dumps(words))
        self.tries, self.live = 0, True
        news = message.keys() & {"patch", "html", "stale"}
        pushed = {self._swap(row) for row in message.get("html", ())}
        stale = any(_of_roles(key) and key not in pushed for key in message.get("stale", ()))
        if stale or (not news and message["cur"] > self.cursor):
            await asyncio.get_running_loop().run_in_executor(self.pool, self._fetch)
        self.cursor = max(self.cursor, message["cur"])

    def _swap(self, row: str) -> str:
        """A pushed row in the place of the one that is shown; answers what it covers."""
        found = ROW.match(row)
        if not found or f'<tr id="vm-{found.group(1)}-row"' not in self.shown:
            return ""
        before, _, rest = self.shown.partition(f'<tr id="vm-{found.group(1)}-row"')
        self._show(before + row + rest.partition("</tr>")[2])
        return f"vm:{found.group(1)}"

    def _fetch(self) -> None:
        headers = {"Cookie": self.cookie, "HX-Request": "true"}
        try:
            request = urllib.request.Request(self.region, headers=headers)
            with urllib.request.urlopen(request, timeout=30) as got:
                self._show(got.read().decode())
        except OSError:
            self.cursor = 0  # asked for again with the next frame

    def _show(self, text: str) -> None:
        self.shown = text
        if not self.true_at and self.truth(text):
            self.true_at = time.monotonic()


class Tabs:
    """A row of them; `wait(condition)` until it holds for each."""

    def __init__(self, url: str, cluster: int, region: str, cookies: list[str]) -> None:
        pool = ThreadPoolExecutor(16)
        self.all = [Tab(url, cluster, region, cookie, pool) for cookie in cookies]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tabs", daemon=True)

    def __enter__(self) -> Tabs:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._all.cancel)
        self._thread.join(20)

    def _run(self) -> None:
        async def story() -> None:
            self._all = asyncio.gather(*(tab.run() for tab in self.all))
            try:
                await self._all
            except asyncio.CancelledError:
                await asyncio.sleep(0.2)  # until the last of them has let its connection go

        self._loop.run_until_complete(story())
        self._loop.close()

    def expect(self, truth: Callable[[str], bool]) -> None:
        """What each of them must show from now on."""
        for tab in self.all:
            tab.truth, tab.true_at = truth, 0.0

    def wait(self, condition: Callable[[Tab], object], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while missing := sum(not condition(tab) for tab in self.all):
            assert time.monotonic() < deadline, f"{missing} of {len(self.all)} tabs: not {what}"
            time.sleep(0.05)
