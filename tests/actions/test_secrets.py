"""Sealed text: opened with the same key, with an older one below it, and never without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clustermgr import secrets


@pytest.fixture(autouse=True)
def fresh_key() -> Iterator[None]:
    secrets._box.cache_clear()
    yield
    secrets._box.cache_clear()


def use(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    secrets._box.cache_clear()
    monkeypatch.setenv("CLUSTERMGR_SEAL_KEY", keys)


def test_what_is_sealed_cannot_be_read_and_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "one")
    sealed = secrets.seal("passwd='x'")
    assert "passwd" not in sealed
    assert secrets.unseal(sealed) == "passwd='x'"
    assert secrets.seal("") == secrets.unseal("") == ""


def test_an_older_key_still_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "one")
    sealed = secrets.seal("text")
    use(monkeypatch, "two\none")
    assert secrets.unseal(sealed) == "text"


def test_without_its_key_it_stays_closed_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "one")
    sealed = secrets.seal("text")
    use(monkeypatch, "two")
    with pytest.raises(secrets.SealBroken, match="Put the old key on a line of its own"):
        secrets.unseal(sealed)
