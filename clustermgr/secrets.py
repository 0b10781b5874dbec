"""Sealing text that must not be read from a copy of the database: VM definitions carry graphics passwords.

The key is CLUSTERMGR_SEAL_KEY (or the file that CLUSTERMGR_SEAL_KEY_FILE names), else var/seal.key, made
once.
To change it, put the new key on a first line above the old one: the first seals, all of them open.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from clustermgr.settings import kept_secret


class SealBroken(Exception):
    """The text was sealed with a key that this installation does not have."""


@lru_cache(maxsize=1)
def _box() -> MultiFernet:
    lines = kept_secret("CLUSTERMGR_SEAL_KEY", "seal.key").splitlines()
    return MultiFernet([Fernet(_derived(line.strip())) for line in lines if line.strip()])


def _derived(text: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"clustermgr seal\n" + text.encode()).digest())


def fingerprints() -> list[str]:
    """What names each key of this installation without giving it away; the first one seals."""
    lines = kept_secret("CLUSTERMGR_SEAL_KEY", "seal.key").splitlines()
    keys = [_derived(line.strip()) for line in lines if line.strip()]
    return [hashlib.sha256(b"clustermgr fingerprint\n" + key).hexdigest()[:16] for key in keys]


def seal(text: str) -> str:
    """Encrypt for a column. Empty text stays empty."""
    return _box().encrypt(text.encode()).decode() if text else ""


def unseal(text: str) -> str:
    """The text that was sealed. Raises SealBroken, with what to do."""
    if not text:
        return ""
    try:
        return _box().decrypt(text.encode()).decode()
    except InvalidToken:
        raise SealBroken(
            "A stored definition cannot be opened: its key is missing. Put the old key on a line of its own "
            "at the end of var/seal.key (or CLUSTERMGR_SEAL_KEY) and start again."
        ) from None
