"""The API over HTTP: one request, its JSON, and a refusal with the sentences that came back. No words."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from clustermgr.cli.place import Place
from clustermgr.ports import clock, new_id

TIMEOUT_S = 40.0  # longer than the longest wait that the API offers
TRIES, BETWEEN_S = 3, 1.0


class Refused(Exception):
    """What the API answered instead, or why it could not be asked. `problem`: its JSON, where it sent one."""

    def __init__(self, *sentences: str, status: int = 0, problem: dict[str, Any] | None = None) -> None:
        super().__init__(*sentences)
        self.sentences = sentences
        self.status = status
        self.problem = problem


def path(*parts: object) -> str:
    """ "clusters", "c1", "vms", "a/b" -> "/clusters/c1/vms/a%2Fb"."""
    return "".join(f"/{quote(str(part), safe='@')}" for part in parts)


class Client:
    def __init__(self, place: Place, timeout: float = TIMEOUT_S) -> None:
        self.place = place
        self.timeout = timeout

    def get(self, where: str, **query: Any) -> Any:
        asked = {name: _plain(value) for name, value in query.items() if value not in (None, "", False)}
        return self._ask("GET", where + (f"?{urlencode(asked)}" if asked else ""))

    def order(self, method: str, where: str, body: Any = None) -> Any:
        """Something that changes. Its key lets it be sent again when the line broke, without acting twice."""
        return self._ask(method, where, body, {"Idempotency-Key": new_id()})

    def _ask(self, method: str, where: str, body: Any = None, extra: dict[str, str] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        headers = {
            "Authorization": f"Bearer {self.place.token}",
            "Accept": "application/json",
            **(extra or {}),
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        for tries_left in reversed(range(TRIES)):
            try:
                status, text = self._send(method, where, content, headers)
                break
            except (OSError, http.client.HTTPException, ValueError) as error:
                if not tries_left or isinstance(error, ConnectionRefusedError | ValueError | ssl.SSLError):
                    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
                    raise Refused(
                        f"{self.place.url} does not answer: {why}. Is the console running?"
                    ) from None
                clock().sleep(BETWEEN_S)
        return _read(status, text)

    def _send(
        self, method: str, where: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        at = urlsplit(self.place.url)
        if at.scheme not in {"http", "https"} or not at.hostname:
            raise ValueError("CLUSTERCTL_URL must look like https://console.example.org:8000")
        kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
        link = kind(at.hostname, at.port, timeout=self.timeout)
        try:
            link.request(method, f"{at.path}/api/v1{where}", body=content, headers=headers)
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()


def _plain(value: Any) -> Any:
    return "true" if value is True else value


def _read(status: int, text: bytes) -> Any:
    try:
        found = json.loads(text) if text else None
    except ValueError:
        found = None
    if status < 400 and found is not None:
        return found
    if isinstance(found, dict) and found.get("findings"):
        sentences = [str(each.get("sentence")) for each in found["findings"]]
        raise Refused(*sentences, status=status, problem=found)
    raise Refused(
        f"The console answered {status} with something that is no answer of its API.", status=status
    )
