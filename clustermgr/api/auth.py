"""Who asks: a Bearer token becomes an Actor whose role must reach the verb. Cookies open nothing here."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Any

from django.http import HttpRequest
from ninja.security import HttpBearer

from clustermgr import logs
from clustermgr.access import VERBS, Actor
from clustermgr.actions import tokens
from clustermgr.actions.rights import refusal
from clustermgr.core.findings import finding
from clustermgr.errors import ActionRefused
from clustermgr.ports import clock
from clustermgr.queries import find

WRONG_TRIES, PER_SECONDS = 20, 60.0
MOST_ADDRESSES = 10_000
LONGEST_SECRET = 200


class Tries:
    """Wrong tokens by address, in this process. After too many an address waits; nothing is looked up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def too_many(self, address: str) -> bool:
        with self._lock:
            times = self._seen.get(address, deque())
            while times and times[0] < clock().monotonic() - PER_SECONDS:
                times.popleft()
            return len(times) >= WRONG_TRIES

    def wrong(self, address: str) -> None:
        with self._lock:
            self._seen.setdefault(address, deque(maxlen=WRONG_TRIES)).append(clock().monotonic())
            self._seen.move_to_end(address)
            while len(self._seen) > MOST_ADDRESSES:
                self._seen.popitem(last=False)

    def forget(self) -> None:
        with self._lock:
            self._seen.clear()


tries = Tries()


class Bearer(HttpBearer):
    """The guard of one route. `verb`: its name in the table of rights."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self.least = VERBS[verb]
        self.verb = verb

    def __call__(self, request: HttpRequest) -> Actor:
        scheme, _, secret = request.headers.get(self.header, "").partition(" ")
        if scheme.lower() != self.openapi_scheme or not secret.strip():
            raise ActionRefused(finding("no_token"), status=401)
        return self.authenticate(request, secret.strip())

    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        address = request.META.get("REMOTE_ADDR") or "?"
        if tries.too_many(address):
            raise ActionRefused(finding("many_tries", address=address), status=429)
        try:
            actor = tokens.use(token[:LONGEST_SECRET], address)
        except ActionRefused:
            tries.wrong(address)
            raise
        logs.note(user=actor.name)
        if not actor.may(self.verb):
            raise refusal(actor, self.verb, find.meant(getattr(request.resolver_match, "kwargs", {})))
        return actor


def needs(verb: str) -> dict[str, Any]:
    """For a route: who may use it, in force and in the document."""
    extra = {"x-verb": verb, "x-role": VERBS[verb].value}
    return {"auth": Bearer(verb), "openapi_extra": extra}


def actor(request: HttpRequest) -> Actor:
    """Who passed the route's guard."""
    found: Actor = request.auth  # type: ignore[attr-defined]
    return found
