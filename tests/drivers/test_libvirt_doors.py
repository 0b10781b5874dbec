"""Real nodes by ssh and TLS: who is let in, what is said when nobody is; nothing hangs, nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from clustermgr.drivers import registry
from clustermgr.drivers.contract import (
    Credentials,
    Destination,
    DriverError,
    HandleState,
    HostUnreachable,
    MigrationOptions,
    Refused,
)
from clustermgr.kvmlab import doors
from clustermgr.kvmlab.layout import node_address
from tests.certificates import Authority
from tests.doors import LOCAL, SshDoors, make_key, ssh_doors, tls_door
from tests.kvm import KvmLab, wait_for

pytestmark = pytest.mark.qemu

HOLDER = """
import json, sys, time
from clustermgr.drivers import registry
from clustermgr.drivers.contract import Credentials
address, given = json.load(sys.stdin)
host = registry.connect("libvirt", address, credentials=Credentials(**given), deadline=10)
print(host.ping(), flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def ways(kvm_lab: KvmLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshDoors]:
    with ssh_doors(kvm_lab, tmp_path_factory.mktemp("ssh"), (1, 2, 3)) as opened:
        yield opened


def refusal(address: str, credentials: Credentials, deadline: float = 5) -> DriverError:
    with pytest.raises(DriverError) as no:
        registry.connect("libvirt", address, credentials=credentials, deadline=deadline)
    return no.value


def test_a_probe_shows_the_keys_first_and_the_host_once_one_is_pinned(ways: SshDoors) -> None:
    asked = registry.probe("libvirt", ways.address(1), credentials=replace(ways.credentials(1), host_key=""))
    assert asked.host_keys == tuple(ways.host_keys[1])
    assert (asked.usable, asked.findings[0].what) == (False, "The host's key is not confirmed yet.")
    seen = registry.probe("libvirt", ways.address(1), credentials=ways.credentials(1), deadline=10)
    assert seen.usable, seen.findings
    assert {volume.name for volume in seen.volumes} >= {"csv1"}
    assert "ok" in {finding.level for finding in seen.findings}


def test_another_host_key_is_refused_by_connection_and_probe(ways: SshDoors) -> None:
    wrong = replace(ways.credentials(1), host_key=ways.host_keys[2][0])
    error = refusal(ways.address(1), wrong)
    assert isinstance(error, Refused)
    assert "another host key than the pinned one" in error.sentence
    seen = registry.probe("libvirt", ways.address(1), credentials=wrong)
    assert seen.facts is None
    assert "another host key" in seen.findings[0].what


def test_another_key_of_ours_is_refused(ways: SshDoors, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    other = replace(ways.credentials(1), ssh_key=(tmp_path / "other").read_text())
    error = refusal(ways.address(1), other)
    assert isinstance(error, Refused)
    assert "authorized_keys" in error.sentence


def test_a_silent_host_costs_the_deadline_and_no_more(kvm_lab: KvmLab, ways: SshDoors) -> None:
    kvm_lab.link(1, "down")
    try:
        began = time.monotonic()
        error = refusal(ways.address(1), ways.credentials(1), deadline=2)
        took = time.monotonic() - began
    finally:
        kvm_lab.link(1, "up")
    assert isinstance(error, HostUnreachable)
    assert took < 5


def test_a_killed_manager_leaves_no_ssh_and_no_key(ways: SshDoors, tmp_path: Path) -> None:
    given = ways.credentials(1)
    keeper = hold(ways.address(1), given, tmp_path)
    assert mentioned(tmp_path), "there is an ssh process while the connection is held"
    assert not any(given.ssh_key.encode() in text for text in mentioned(tmp_path))
    os.kill(keeper.pid, signal.SIGKILL)
    keeper.communicate()
    assert wait_for(lambda: not mentioned(tmp_path), 20)


def hold(address: str, given: Credentials, var: Path) -> subprocess.Popen[bytes]:
    """A process that holds a connection, with a var folder of its own."""
    keeper = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "CLUSTERMGR_VAR": str(var)},
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    keeper.stdin.write(json.dumps([address, asdict(given)]).encode())
    keeper.stdin.close()
    keeper.stdin = None
    assert keeper.stdout.readline().strip(), "the connection does not open"
    return keeper


def mentioned(var: Path) -> list[bytes]:
    """Command lines and environments of the ssh processes that use files of this var folder."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes()
            if str(var).encode() in words:
                found.append(words + (folder / "environ").read_bytes())
        except OSError:
            continue
    return found


def test_a_machine_moves_between_hosts_that_reach_each_other_by_ssh(kvm_lab: KvmLab, ways: SshDoors) -> None:
    hosts = {
        n: registry.connect("libvirt", ways.address(n), credentials=ways.credentials(n), deadline=20)
        for n in (1, 2, 3)
    }
    uuid = kvm_lab.vm("counter")
    here = next(n for n, host in hosts.items() if (seen := host.sight(uuid)) and seen.has_process)
    there = here % 3 + 1
    to = Destination(f"qemu+ssh://root@{node_address(there)}/system", f"node {there}")
    handle = hosts[here].begin_migrate(uuid, to, MigrationOptions(allow_unsafe=True))
    assert wait_for(lambda: handle.poll()[0] is not HandleState.RUNNING, 40)
    assert handle.poll() == (HandleState.DONE, "")
    assert hosts[here].sight(uuid) is None
    assert (arrived := hosts[there].sight(uuid)) is not None
    assert arrived.has_process


def test_by_tls_hosts_are_seen_and_changed(kvm_lab: KvmLab, tmp_path: Path) -> None:
    ours = Authority()
    with tls_door(kvm_lab, tmp_path, 3, ours) as address:
        host = registry.connect("libvirt", address, credentials=ours.credentials(), deadline=10)
        assert host.ping() == registry.connect("libvirt", kvm_lab.uri(3), deadline=10).ping()
        host.activate_volume("csv1")  # is active: changes nothing, and goes the way of every change
        host.close()


def test_by_tls_each_wrong_certificate_has_its_sentence(kvm_lab: KvmLab, tmp_path: Path) -> None:
    ours, other = Authority(), Authority("Another CA")
    with tls_door(kvm_lab, tmp_path, 3, ours) as address:
        assert "signed by another CA" in refusal(address, other.credentials()).sentence
        assert "own certificate has expired" in refusal(address, ours.credentials(days=-1)).sentence
    with tls_door(kvm_lab, tmp_path, 3, ours, address="10.77.0.99") as address:
        assert f"is not for {LOCAL}" in refusal(address, ours.credentials()).sentence


def test_a_host_installed_anew_shows_other_keys(kvm_lab: KvmLab, ways: SshDoors) -> None:
    """Last: the door of node 2 has another key from here on."""
    pinned = ways.credentials(2)
    doors.new_host_keys(kvm_lab.layout, 2)
    doors.ssh_start(kvm_lab.layout, 2, [ways.key_file.with_suffix(".pub").read_text()])
    assert "another host key" in refusal(ways.address(2), pinned).sentence
