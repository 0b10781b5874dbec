"""Who may use the host console: one secret link, kept in a file of its own beside the store."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from clustermgr import ports
from clustermgr.drivers.lab import store

ENV = "CLUSTERMGR_LAB_CONSOLE_TOKEN"


@dataclass(frozen=True, slots=True)
class Gate:
    """Everything that is derived from the secret. The secret itself never leaves the link."""

    token: str

    @property
    def cookie_name(self) -> str:
        # Cookies do not know ports: two installations on one machine must not sign each other out.
        return "labconsole_" + hashlib.sha256(self.token.encode()).hexdigest()[:8]

    @property
    def session(self) -> str:
        return self._derive("session")

    @property
    def csrf(self) -> str:
        return self._derive("csrf")

    def admits(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.token.encode())

    def knows(self, session: str) -> bool:
        return hmac.compare_digest(session.encode(), self.session.encode())

    def trusts(self, csrf: str) -> bool:
        return hmac.compare_digest(csrf.encode(), self.csrf.encode())

    def _derive(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def open_gate() -> Gate:
    """The gate of this installation; its secret is made at first use, readable by its owner alone."""
    given = os.environ.get(ENV, "").strip()
    return Gate(given or _kept(Path(store.default_path() + ".console-token")))


def sign_in_link(base_url: str) -> str:
    """The link that signs in to the console at `base_url`: to print at the start, never to show on a page."""
    return f"{base_url.rstrip('/')}/?token={quote(open_gate().token, safe='')}"


def _kept(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    token = ports.new_id()
    with os.fdopen(descriptor, "w") as handle:
        handle.write(token)
    return token
