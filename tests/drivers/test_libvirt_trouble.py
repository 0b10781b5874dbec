"""Edits from outside, and hosts, daemons and guests that hang or die: the driver says what is, in time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from clustermgr.drivers import permits, registry
from clustermgr.drivers.contract import (
    AgentDown,
    Destination,
    DomainState,
    HandleState,
    HostDriver,
    HostUnreachable,
    MigrationOptions,
    Refused,
    TooLate,
)
from tests.kvm import KvmLab, wait_for

pytestmark = pytest.mark.qemu

DEADLINE = 2.0
NODE = 3  # the one that these tests ill-treat


@pytest.fixture
def host(kvm_lab: KvmLab) -> Iterator[HostDriver]:
    opened = registry.connect("libvirt", kvm_lab.uri(NODE), deadline=DEADLINE)
    yield opened
    opened.close()


@pytest.fixture
def vm(kvm_lab: KvmLab, host: HostDriver) -> str:
    """A running guest of that node."""
    uuid = kvm_lab.vm("dhcp01")
    seen = host.sight(uuid)
    if seen is None or not seen.has_process:
        start(host, uuid)
    return uuid


def start(host: HostDriver, uuid: str) -> None:
    handle = host.begin_start(uuid)
    assert wait_for(lambda: handle.poll()[0] is not HandleState.RUNNING)
    assert handle.poll() == (HandleState.DONE, "")
    host.resume(uuid)


def state(host: HostDriver, uuid: str) -> DomainState | None:
    seen = host.sight(uuid)
    return None if seen is None else seen.state


def test_an_edit_with_virsh_changes_the_fingerprint_and_power_does_not(
    kvm_lab: KvmLab, host: HostDriver, vm: str
) -> None:
    before = host.read_config(vm).fingerprint
    host.destroy(vm)
    assert host.read_config(vm).fingerprint == before
    start(host, vm)
    assert host.read_config(vm).fingerprint == before
    kvm_lab.virsh(NODE, "setmaxmem", "dhcp01", "32M", "--config")
    assert host.read_config(vm).fingerprint != before


def test_turned_off_shut_down_and_killed_are_told_apart(kvm_lab: KvmLab, host: HostDriver, vm: str) -> None:
    host.destroy(vm)
    assert reason(host, vm) == (DomainState.OFF, "turned off")
    start(host, vm)
    assert wait_for(lambda: press_power_button(host, vm), 20, 0.3)
    assert reason(host, vm) == (DomainState.OFF, "shut down by the guest")
    start(host, vm)
    for pid in kvm_lab.pids(vm):
        os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: state(host, vm) is DomainState.CRASHED)
    assert reason(host, vm) == (DomainState.CRASHED, "crashed")


def press_power_button(host: HostDriver, uuid: str) -> bool:
    """Again and again, because a guest that still boots does not hear it. True when the guest is off."""
    if state(host, uuid) is DomainState.RUNNING:
        with suppress(Refused):  # it went off just now
            host.begin_shutdown(uuid)
    return state(host, uuid) is DomainState.OFF


def reason(host: HostDriver, uuid: str) -> tuple[DomainState, str]:
    seen = host.sight(uuid)
    assert seen is not None
    return seen.state, seen.reason


def test_a_hung_guest_process_hangs_only_the_order(kvm_lab: KvmLab, host: HostDriver, vm: str) -> None:
    (pid,) = kvm_lab.pids(vm)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(HostUnreachable):
            host.suspend(vm)
        began = time.monotonic()
        assert vm in {seen.uuid for seen in host.sights()}
        assert vm in {sample.uuid for sample in host.sample().vms}
        assert host.read_config(vm).running is not None
        assert time.monotonic() - began < DEADLINE
    finally:
        os.kill(pid, signal.SIGCONT)
    assert wait_for(lambda: state(host, vm) is DomainState.PAUSED)  # the order was carried out late
    host.resume(vm)


def test_a_saved_state_of_the_host_itself_is_seen_and_kept(
    kvm_lab: KvmLab, host: HostDriver, vm: str
) -> None:
    kvm_lab.virsh(NODE, "managedsave", "dhcp01")
    assert state(host, vm) is DomainState.SAVED
    with pytest.raises(Refused, match="saved state"):
        host.undefine(vm)
    kvm_lab.virsh(NODE, "start", "dhcp01")
    assert state(host, vm) is DomainState.RUNNING


def test_volumes_and_a_cluster_disk(host: HostDriver) -> None:
    assert {v.name: (v.active, v.reachable) for v in host.volumes()} == {
        "csv1": (True, True),
        "disk1": (False, False),
    }
    host.activate_volume("disk1")
    host.activate_volume("disk1")
    assert all(v.active and v.capacity_bytes > 0 for v in host.volumes())
    host.deactivate_volume("disk1")
    host.deactivate_volume("disk1")
    with pytest.raises(Refused, match="batch01"):
        host.deactivate_volume("csv1")


def test_a_guest_with_a_balloon_gives_memory_at_once(kvm_lab: KvmLab) -> None:
    kvm_lab.bring("web01", 1)
    host, uuid = registry.connect("libvirt", kvm_lab.uri(1), deadline=10), kvm_lab.vm("web01")
    assert wait_for(lambda: (kvm_lab.root / "csv1/console/web01.log").read_text().count("LAB-BOOTED"), 30)
    assert wait_for(lambda: host.apply_settings(uuid, {"memory_mib": 112}) == {"memory_mib": "now"}, 20, 1)
    assert wait_for(lambda: (running := host.read_config(uuid).running) and running.memory_mib == 112)
    when = host.apply_settings(uuid, {"memory_mib": 144, "vcpus": 2, "notes": "more"})
    assert when == {"memory_mib": "next_start", "vcpus": "next_start", "notes": "now"}
    host.close()


def test_a_dead_daemon_is_told_from_a_dead_machine(kvm_lab: KvmLab, host: HostDriver, vm: str) -> None:
    kvm_lab.daemon(NODE, "KILL")
    assert wait_for(lambda: not answers(host))
    # A dying daemon may still take a connection and drop it.
    assert wait_for(lambda: refusal(kvm_lab) is AgentDown)
    kvm_lab.daemon_start(NODE)
    again = registry.connect("libvirt", kvm_lab.uri(NODE), deadline=DEADLINE)
    assert state(again, vm) is DomainState.RUNNING, "the guest did not outlive the daemon"
    kvm_lab.power_off(NODE)
    assert not answers(again)
    assert wait_for(lambda: refusal(kvm_lab) is HostUnreachable)
    assert kvm_lab.pids(vm) == []
    kvm_lab.power_on(NODE)
    back = registry.connect("libvirt", kvm_lab.uri(NODE), deadline=DEADLINE)
    assert state(back, vm) is DomainState.OFF
    back.close()


def test_a_daemon_that_starts_again_forgets_a_save_but_its_file_tells(
    kvm_lab: KvmLab, host: HostDriver, vm: str
) -> None:
    path, half = f"/srv/csv1/{vm}-whole.save", f"/srv/csv1/{vm}-half.save"
    handle = host.begin_save(vm, path)
    assert wait_for(lambda: handle.poll() == (HandleState.DONE, ""))
    assert reason(host, vm) == (DomainState.OFF, "saved")
    kvm_lab.daemon(NODE, "KILL")
    kvm_lab.daemon_start(NODE)
    again = registry.connect("libvirt", kvm_lab.uri(NODE), deadline=DEADLINE)
    assert reason(again, vm) == (DomainState.OFF, "")
    (kvm_lab.root / "csv1" / half.rpartition("/")[2]).write_bytes(b"LibvirtQemudPart" + bytes(8192))
    assert [again.has_file(half), again.is_whole(half), again.is_whole(path)] == [True, False, True]
    again.delete_file(path)
    again.delete_file(half)
    again.close()


def refusal(kvm_lab: KvmLab) -> type[Exception] | None:
    """The kind of error with which this node cannot be connected to now."""
    try:
        registry.connect("libvirt", kvm_lab.uri(NODE), deadline=DEADLINE).close()
    except HostUnreachable as error:
        return type(error)
    return None


def answers(host: HostDriver) -> bool:
    try:
        host.ping()
    except HostUnreachable:
        return False
    return True


def test_a_hanging_daemon_costs_no_more_than_the_deadline(kvm_lab: KvmLab, host: HostDriver, vm: str) -> None:
    kvm_lab.daemon(NODE, "STOP")
    try:
        for attempt in (
            host.ping,
            lambda: host.suspend(vm),
            lambda: registry.connect("libvirt", kvm_lab.uri(NODE), deadline=DEADLINE),
        ):
            began = time.monotonic()
            with pytest.raises(HostUnreachable):
                attempt()
            assert time.monotonic() - began < DEADLINE + 1
    finally:
        kvm_lab.daemon(NODE, "CONT")
    fresh = registry.connect("libvirt", kvm_lab.uri(NODE), deadline=DEADLINE)
    assert state(fresh, vm) in (DomainState.RUNNING, DomainState.PAUSED)
    fresh.close()


def test_a_child_whose_permit_ran_out_on_its_way_makes_no_call(
    host: HostDriver, vm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permits, "moment", lambda: permits.boottime() - 1)
    with pytest.raises(TooLate, match="Nothing was begun"):
        host.destroy(vm)
    handle = host.begin_migrate(
        vm, Destination("qemu+tcp://10.0.0.1/system", "elsewhere"), MigrationOptions()
    )
    assert wait_for(lambda: handle.poll()[0] is not HandleState.RUNNING)
    assert handle.poll()[0] is HandleState.FAILED
    assert "Nothing was begun" in handle.poll()[1]
    assert state(host, vm) is not DomainState.OFF
