"""Testing a connection: what is found is told in sentences, never raised."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clustermgr.drivers import registry
from clustermgr.drivers.contract import Credentials
from clustermgr.drivers.lab import store
from tests.drivers.lab_case import Case


@pytest.fixture
def stored(case: Case) -> Iterator[Case]:
    """The small world, as the one that `lab:` addresses mean."""
    store.use(case.world.store)
    yield case
    store.use(None)


def test_a_simulated_host_is_described_without_any_sign_in(stored: Case) -> None:
    found = registry.probe("lab", "lab:n1")
    assert found.facts is not None
    assert found.facts.hostname == "n1"
    assert (found.usable, found.vms, found.host_keys) == (True, 1, ())


def test_a_silent_host_is_a_finding_not_an_error(stored: Case) -> None:
    stored.faults.power_off("n1")
    found = registry.probe("lab", "lab:n1")
    assert not found.usable
    assert [(finding.level, finding.what) for finding in found.findings] == [
        ("error", "n1 does not answer: its power is off.")
    ]


def test_an_unknown_host_or_driver_is_a_finding(stored: Case) -> None:
    assert "no simulated host called" in registry.probe("lab", "lab:n9").findings[0].what
    assert "no driver called" in registry.probe("hyperv", "n1").findings[0].what


def test_keys_are_not_shown_by_accident() -> None:
    shown = repr(Credentials(ssh_key="SECRET-ONE", tls_key="SECRET-TWO", host_key="ssh-ed25519 AAAA"))
    assert "SECRET" not in shown
    assert "ssh-ed25519 AAAA" in shown
