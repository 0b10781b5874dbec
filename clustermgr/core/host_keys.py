"""Public host keys of ssh ("ssh-ed25519 AAAA…"): their fingerprints, and which one to show. Opens nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence

#: Say that the first key shown is taken unseen.
ANY = "any"
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
BEST_FIRST = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


def kind(line: str) -> str:
    """ "ssh-ed25519 AAAA…" -> "ED25519", as ssh-keygen says it."""
    name = line.split(" ")[0]
    return name.removeprefix("ssh-").removeprefix("ecdsa-sha2-").upper()


def fingerprint(line: str) -> str:
    """ "SHA256:…" as ssh-keygen -l prints it; "" for a line that is no key."""
    parts = line.split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (IndexError, binascii.Error, ValueError):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def ranked(lines: Sequence[str]) -> list[str]:
    """The keys of a host, the one to confirm first."""
    known = {name: place for place, name in enumerate(BEST_FIRST)}
    return sorted(lines, key=lambda line: (known.get(line.split(" ")[0], len(known)), line))


def chosen(lines: Sequence[str], expected: str) -> str:
    """The key of that fingerprint, the first one for ANY, else ""."""
    for line in ranked(lines):
        if expected in (ANY, fingerprint(line)):
            return line
    return ""
