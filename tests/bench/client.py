"""One browser without a screen: a connection that stays open, its cookies, and how long answers take."""

from __future__ import annotations

import http.client
import re
import time
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str
    seconds: float


@dataclass(slots=True)
class Client:
    """`headers` go with every request."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    _wire: http.client.HTTPConnection | None = None

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, None, headers)

    def sign_in(self, name: str, password: str) -> None:
        """Raises when the console does not let this account in."""
        page = self.get("/sign-in/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None, page.text[:200]
        form = {"csrfmiddlewaretoken": token[1], "username": name, "password": password}
        words = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.url}
        answer = self._ask("POST", "/sign-in/", urlencode(form), words)
        assert answer.status == 302, answer.status

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        if self._wire is None:
            self._wire = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        words = {**self.headers, **headers, **({"Cookie": self.cookie} if self.cookies else {})}
        began = time.perf_counter()
        try:
            self._wire.request(method, path, body, words)
            response = self._wire.getresponse()
            text = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        seconds = time.perf_counter() - began
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self.cookies |= {key: each.value for key, each in SimpleCookie(value).items()}
        return Answer(response.status, text, seconds)
