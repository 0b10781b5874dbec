"""Moves between real nodes: nothing restarts, nothing runs twice, and a move outlives whoever ordered it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clustermgr.drivers import registry
from clustermgr.drivers.contract import DomainState, HandleState, HostDriver, JobKind, MigrationOptions
from clustermgr.drivers.contract import Handle as ContractHandle
from tests.kvm import KvmLab, wait_for

pytestmark = pytest.mark.qemu

MIB = 1 << 20
VISIBLE = MigrationOptions(bandwidth=48 * MIB, allow_unsafe=True)
ENDLESS = MigrationOptions(bandwidth=8 * MIB, allow_unsafe=True)  # the guest writes faster than that
ORDER = """
import sys, time
from clustermgr.drivers import registry
from clustermgr.drivers.contract import Destination, MigrationOptions
host = registry.connect("libvirt", sys.argv[1], deadline=10)
handle = host.begin_migrate(sys.argv[2], Destination(sys.argv[3], "target"), MigrationOptions(50331648, True))
print(handle.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def hosts(kvm_lab: KvmLab) -> Iterator[dict[int, HostDriver]]:
    opened = {n: registry.connect("libvirt", kvm_lab.uri(n), deadline=10) for n in (1, 2, 3)}
    yield opened
    for host in opened.values():
        host.close()


@pytest.fixture
def counter(kvm_lab: KvmLab, hosts: dict[int, HostDriver]) -> Iterator[tuple[str, int, int]]:
    """The counter guest, the node that runs it, and another. It never goes back, whatever the test did."""
    uuid = kvm_lab.vm("counter")
    here = next(n for n, host in hosts.items() if (seen := host.sight(uuid)) and seen.has_process)
    yield uuid, here, here % 3 + 1
    hosts[here].abort_job(uuid)
    counts = kvm_lab.counts()
    assert counts == sorted(counts), "the guest started again"
    assert len(kvm_lab.pids(uuid)) == 1


def ended(handle: ContractHandle) -> tuple[HandleState, str]:
    assert wait_for(lambda: handle.poll()[0] is not HandleState.RUNNING, 60)
    return handle.poll()


def copying(host: HostDriver, uuid: str) -> bool:
    job = host.jobs([uuid]).get(uuid)
    return job is not None and job.bytes_sent > MIB


def test_a_live_migration_shows_growing_figures_and_is_seen_to_succeed(
    kvm_lab: KvmLab, hosts: dict[int, HostDriver], counter: tuple[str, int, int]
) -> None:
    uuid, here, there = counter
    before, sent = kvm_lab.counter(), [0]
    handle = hosts[here].begin_migrate(uuid, kvm_lab.destination(there), VISIBLE)
    while handle.poll()[0] is HandleState.RUNNING:
        wait_for(lambda: False, 0.2)
        job = hosts[here].jobs([uuid]).get(uuid)
        if job is not None:
            sent.append(job.bytes_sent)
    assert handle.poll() == (HandleState.DONE, "")
    assert sent == sorted(sent)
    assert len(set(sent)) > 5
    seen = hosts[there].sight(uuid)
    assert seen is not None
    assert (seen.state, seen.persistent) == (DomainState.RUNNING, True)
    totals = hosts[there].totals(uuid)
    assert totals is not None
    assert totals.bytes_sent >= max(sent)
    assert wait_for(lambda: kvm_lab.counter() > before + 10)


def test_a_migration_cancelled_half_way_leaves_nothing_on_the_target(
    kvm_lab: KvmLab, hosts: dict[int, HostDriver], counter: tuple[str, int, int]
) -> None:
    uuid, here, there = counter
    handle = hosts[here].begin_migrate(uuid, kvm_lab.destination(there), ENDLESS)
    assert wait_for(lambda: copying(hosts[here], uuid))
    assert len(kvm_lab.pids(uuid)) == 2
    hosts[here].abort_job(uuid)
    assert ended(handle) == (HandleState.FAILED, "It was cancelled.")
    assert wait_for(lambda: hosts[there].sight(uuid) is None)
    seen = hosts[here].sight(uuid)
    assert seen is not None
    assert (seen.state, seen.job) == (DomainState.RUNNING, None)
    assert wait_for(lambda: len(kvm_lab.pids(uuid)) == 1)
    before = kvm_lab.counter()
    assert wait_for(lambda: kvm_lab.counter() > before)


def test_a_migration_goes_on_when_whoever_ordered_it_is_killed(
    kvm_lab: KvmLab, hosts: dict[int, HostDriver], counter: tuple[str, int, int]
) -> None:
    uuid, here, there = counter
    words = [kvm_lab.uri(here), uuid, kvm_lab.destination(there).address]
    with subprocess.Popen([sys.executable, "-c", ORDER, *words], stdout=subprocess.PIPE) as manager:
        assert manager.stdout is not None
        child = int(manager.stdout.readline())
        assert wait_for(lambda: copying(hosts[here], uuid))
        manager.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not is_alive(child)), "the child outlived its parent"
    job = hosts[here].jobs([uuid])[uuid]
    assert job.kind is JobKind.MIGRATION_OUT
    assert wait_for(lambda: hosts[here].sight(uuid) is None, 60)
    seen = hosts[there].sight(uuid)
    assert seen is not None
    assert seen.state is DomainState.RUNNING


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_saved_state_is_restored_paused_on_another_node_and_then_spent(
    kvm_lab: KvmLab, hosts: dict[int, HostDriver], counter: tuple[str, int, int]
) -> None:
    uuid, here, there = counter
    path = f"/srv/csv1/.clustermgr/{uuid}-{os.getpid()}.state"
    definition = hosts[here].read_config(uuid).definition
    assert ended(hosts[here].begin_save(uuid, path)) == (HandleState.DONE, "")
    assert ended(hosts[there].begin_restore(path)) == (HandleState.DONE, "")
    seen, before = hosts[there].sight(uuid), kvm_lab.counter()
    assert seen is not None
    assert (seen.state, seen.persistent, seen.incoming) == (DomainState.PAUSED, False, False)
    hosts[there].delete_file(path)
    assert not hosts[here].has_file(path)
    assert kvm_lab.counter() == before, "the copy ran before it was resumed"
    hosts[there].resume(uuid)
    hosts[there].define(definition)
    hosts[here].undefine(uuid)
    assert wait_for(lambda: kvm_lab.counter() > before)
    assert hosts[here].sight(uuid) is None


def test_a_migration_to_a_node_that_is_cut_off_fails_and_the_vm_stays(
    kvm_lab: KvmLab, hosts: dict[int, HostDriver], counter: tuple[str, int, int]
) -> None:
    uuid, here, there = counter
    kvm_lab.daemon(there, "KILL")
    try:
        state, reason = ended(hosts[here].begin_migrate(uuid, kvm_lab.destination(there), VISIBLE))
    finally:
        kvm_lab.daemon_start(there)
    assert state is HandleState.FAILED
    assert reason == "The source host could not reach the target host's libvirt daemon."
    seen = hosts[here].sight(uuid)
    assert seen is not None
    assert seen.state is DomainState.RUNNING
