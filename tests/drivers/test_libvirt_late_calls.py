"""A child that reached its host only after its permit makes no call; needs libvirt-python, but no host."""

from __future__ import annotations

import json

import pytest

from clustermgr import ports
from clustermgr.drivers import permits
from clustermgr.drivers.contract import HostUnreachable, Refused, TooLate
from clustermgr.drivers.permits import permitted

pytest.importorskip("libvirt", reason="libvirt-python is not installed (requirements-libvirt.txt)")

from clustermgr.drivers.libvirt import child, children

#: libvirt's own host in memory: opened at once, changed by nobody else.
URI = "test:///default"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The verbs that were carried out."""
    found: list[str] = []
    monkeypatch.setitem(child.VERBS, "start", (lambda handle, uuid: found.append(uuid), "start it"))
    monkeypatch.setattr(child.reach, "check", lambda uri, seconds: None)
    monkeypatch.setattr(child.connection, "open_raw", lambda uri: None)
    return found


def request(not_after: float | None) -> dict[str, object]:
    return {"uri": URI, "verb": "start", "arguments": {"uuid": "u"}, "open_within": 5, "not_after": not_after}


def test_in_time_or_without_a_permit_it_is_made(made: list[str]) -> None:
    child.perform(request(None))
    child.perform(request(permits.boottime() + 5))
    assert made == ["u", "u"]


def test_what_was_long_in_reaching_its_host_is_not_made(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine paused after the call was handed over: it is checked after the host was opened."""
    until = permits.boottime() + 5
    monkeypatch.setattr(child.connection, "open_raw", lambda uri: later(monkeypatch, 6))
    with pytest.raises(TooLate, match="Nothing was begun"):
        child.perform(request(until))
    assert made == []


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    real = permits.boottime
    monkeypatch.setattr(permits, "boottime", lambda: real() + seconds)


def test_after_the_permit_no_child_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_start", lambda: pytest.fail("a process was started"))
    with permitted(ports.clock().monotonic()), pytest.raises(TooLate):
        children.begin(URI, "start", {"uuid": "u"}, 5)


def test_what_a_child_says_of_it_is_a_refusal_and_no_silence() -> None:
    """It is certain that the host never heard of it: no handle may call it lost."""
    told = json.dumps({"kind": "TooLate", "sentence": permits.SENTENCE, "raw": ""}).encode()
    with pytest.raises(TooLate) as late:
        children._value(told, 0)
    assert isinstance(late.value, Refused)
    assert not isinstance(late.value, HostUnreachable)
