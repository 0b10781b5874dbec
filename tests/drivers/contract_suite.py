"""The contract of `HostDriver` as tests. Every driver passes them, with a harness of its own.

A driver's test module defines a fixture `harness` (a `Harness`) and imports everything from here.
Figures differ between drivers; what is asserted here holds for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import pytest

from clustermgr import ports
from clustermgr.drivers.contract import (
    NONCES,
    Busy,
    Destination,
    DomainState,
    DriverError,
    Handle,
    HandleState,
    HostDriver,
    JobKind,
    MigrationOptions,
    NotFound,
    Refused,
    TooLate,
)
from clustermgr.drivers.permits import permitted

NOBODY = "00000000-0000-4000-8000-000000000000"
SLOW = MigrationOptions(bandwidth=16 * 1024 * 1024, allow_unsafe=True)
FAST = MigrationOptions(allow_unsafe=True)


class Harness(Protocol):
    """Two hosts that share storage; on `source` one VM that runs and one that is off."""

    source: HostDriver
    target: HostDriver
    destination: Destination  # the target, as the source reaches it
    running_vm: str
    off_vm: str
    running_name: str

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether it came true within `seconds`: of virtual time, or by polling."""
        ...

    def saved_path(self) -> str:
        """A path on shared storage at which no file is."""
        ...

    def lose(self, handle: Handle) -> None:
        """From now on no answer comes to this call on the source; the host itself goes on."""
        ...


def state(host: HostDriver, uuid: str) -> DomainState | None:
    seen = host.sight(uuid)
    return None if seen is None else seen.state


def finish(harness: Harness, handle: Handle, seconds: float = 60) -> tuple[HandleState, str]:
    assert harness.wait(lambda: handle.poll()[0] is not HandleState.RUNNING, seconds), "it never ended"
    return handle.poll()


def start(harness: Harness, host: HostDriver, uuid: str) -> None:
    assert finish(harness, host.begin_start(uuid)) == (HandleState.DONE, "")
    host.resume(uuid)


# -- the host --


def test_a_host_tells_what_it_is(harness: Harness) -> None:
    facts = harness.source.facts()
    assert facts.host_uuid == harness.source.ping()
    assert facts.hypervisor
    assert facts.hostname
    assert facts.cpus >= 1
    assert facts.memory_mib > 0


def test_two_hosts_have_two_identities(harness: Harness) -> None:
    assert harness.source.ping() != harness.target.ping()


def test_a_sample_covers_the_running_vm(harness: Harness) -> None:
    sample = harness.source.sample()
    mine = next(vm for vm in sample.vms if vm.uuid == harness.running_vm)
    assert 0 <= sample.cpu_percent <= 100
    assert 0 < sample.memory_used_mib <= harness.source.facts().memory_mib
    assert 0 <= mine.cpu_percent <= 100


def test_both_hosts_reach_a_shared_volume(harness: Harness) -> None:
    usable = [{v.name for v in host.volumes() if v.active and v.reachable} for host in _both(harness)]
    assert usable[0] & usable[1]


# -- markers --


def shared(harness: Harness) -> str:
    """A volume that both hosts reach."""
    names = [{v.name for v in host.volumes() if v.active and v.reachable} for host in _both(harness)]
    return min(names[0] & names[1])


@pytest.fixture
def volume(harness: Harness) -> Iterator[str]:
    name = shared(harness)
    _without_markers(harness, name)  # of managers that other tests had on these hosts
    yield name
    _without_markers(harness, name)


def _without_markers(harness: Harness, name: str) -> None:
    path = next(v.path for v in harness.source.volumes() if v.name == name)
    for marker in harness.source.markers(name):
        harness.source.delete_file(f"{path}/{marker}")


def test_a_marker_is_made_once_and_both_hosts_see_it(harness: Harness, volume: str) -> None:
    assert harness.source.claim_marker(volume, "clustermgr-m-1-1-1", 7)
    assert not harness.target.claim_marker(volume, "clustermgr-m-1-1-1", 8)
    assert not harness.source.claim_marker(volume, "clustermgr-m-1-1-1", 7)
    for host in _both(harness):
        assert host.markers(volume) == {"clustermgr-m-1-1-1": 7}


def test_the_largest_and_the_smallest_nonce_are_kept(harness: Harness, volume: str) -> None:
    assert harness.target.claim_marker(volume, "clustermgr-least", 0)
    assert harness.target.claim_marker(volume, "clustermgr-most", NONCES - 1)
    assert harness.source.markers(volume) == {"clustermgr-least": 0, "clustermgr-most": NONCES - 1}


def test_a_look_at_the_volumes_names_its_markers(harness: Harness, volume: str) -> None:
    harness.source.claim_marker(volume, "clustermgr-m-1-1-2", 3)
    for host in _both(harness):
        seen = {v.name: v.markers for v in host.volumes()}
        assert seen.pop(volume) == (("clustermgr-m-1-1-2", 3),)
        assert not any(seen.values())


def test_a_marker_is_deleted_by_any_host_as_often_as_it_likes(harness: Harness, volume: str) -> None:
    path = next(v.path for v in harness.source.volumes() if v.name == volume)
    harness.source.claim_marker(volume, "clustermgr-m-1-1-4", 5)
    harness.target.delete_file(f"{path}/clustermgr-m-1-1-4")
    harness.target.delete_file(f"{path}/clustermgr-m-1-1-4")
    assert harness.source.markers(volume) == {}
    assert harness.source.claim_marker(volume, "clustermgr-m-1-1-4", 6)


def test_no_marker_without_a_volume(harness: Harness) -> None:
    with pytest.raises(NotFound):
        harness.source.claim_marker("nowhere", "clustermgr-m-1-1-1", 1)
    with pytest.raises(NotFound):
        harness.source.markers("nowhere")


# -- seeing --


def test_every_vm_is_seen_with_its_state(harness: Harness) -> None:
    seen = {sight.uuid: sight for sight in harness.source.sights()}
    assert seen[harness.running_vm].state is DomainState.RUNNING
    assert seen[harness.running_vm].name == harness.running_name
    assert seen[harness.running_vm].has_process
    assert seen[harness.off_vm].state is DomainState.OFF
    assert not seen[harness.off_vm].has_process


def test_one_look_agrees_with_the_list(harness: Harness) -> None:
    listed = next(s for s in harness.source.sights() if s.uuid == harness.off_vm)
    assert harness.source.sight(harness.off_vm) == replace(listed, job=None)


def test_an_unknown_vm_is_not_seen(harness: Harness) -> None:
    assert harness.source.sight(NOBODY) is None
    assert harness.source.jobs([NOBODY, harness.running_vm]) == {}


@pytest.mark.parametrize("verb", ["read_config", "begin_start", "resume", "suspend", "begin_shutdown"])
def test_an_order_for_an_unknown_vm_is_not_found(harness: Harness, verb: str) -> None:
    with pytest.raises(NotFound):
        getattr(harness.source, verb)(NOBODY)


# -- definitions --


def test_a_definition_makes_the_same_vm_on_another_host(harness: Harness) -> None:
    here = harness.source.read_config(harness.off_vm)
    harness.target.define(here.definition)
    there = harness.target.read_config(harness.off_vm)
    assert there.saved == here.saved
    assert there.fingerprint == here.fingerprint
    assert state(harness.target, harness.off_vm) is DomainState.OFF


def test_undefine_forgets_and_may_be_repeated(harness: Harness) -> None:
    harness.source.undefine(harness.off_vm)
    harness.source.undefine(harness.off_vm)
    assert harness.source.sight(harness.off_vm) is None


def test_a_definition_that_is_none_is_refused(harness: Harness) -> None:
    with pytest.raises(Refused):
        harness.source.define("this is no definition")


# -- the manager's stamp --

STAMP = "manager=9d0c epoch=3 vm=" + NOBODY


def stamps(host: HostDriver, uuid: str) -> tuple[str, str | None]:
    config = host.read_config(uuid)
    return config.stamp, config.running_stamp


def test_a_stamp_is_on_the_definition_and_on_the_process(harness: Harness) -> None:
    for uuid in (harness.running_vm, harness.off_vm):
        harness.source.stamp(uuid, STAMP)
    assert stamps(harness.source, harness.running_vm) == (STAMP, STAMP)
    assert stamps(harness.source, harness.off_vm) == (STAMP, None)
    for uuid in (harness.running_vm, harness.off_vm):
        harness.source.stamp(uuid, "")
    assert stamps(harness.source, harness.running_vm) == ("", "")
    assert stamps(harness.source, harness.off_vm) == ("", None)


def test_a_stamp_changes_no_fingerprint_and_no_setting(harness: Harness) -> None:
    before = harness.source.read_config(harness.running_vm)
    harness.source.stamp(harness.running_vm, STAMP)
    after = harness.source.read_config(harness.running_vm)
    assert (after.fingerprint, after.saved) == (before.fingerprint, before.saved)
    harness.source.stamp(harness.running_vm, "")


def test_a_definition_takes_its_stamp_along_or_gets_another(harness: Harness) -> None:
    harness.source.stamp(harness.off_vm, STAMP)
    definition = harness.source.read_config(harness.off_vm).definition
    harness.source.stamp(harness.off_vm, "")
    harness.target.define(definition)
    assert stamps(harness.target, harness.off_vm) == (STAMP, None)
    newer = STAMP.replace("epoch=3", "epoch=4")
    harness.target.define(definition, newer)
    assert stamps(harness.target, harness.off_vm) == (newer, None)


def test_a_move_carries_the_stamp_along(harness: Harness) -> None:
    harness.source.stamp(harness.running_vm, STAMP)
    moved = harness.source.begin_migrate(harness.running_vm, harness.destination, FAST)
    assert finish(harness, moved) == (HandleState.DONE, "")
    assert stamps(harness.target, harness.running_vm) == (STAMP, STAMP)


def test_an_order_to_stamp_an_unknown_vm_is_not_found(harness: Harness) -> None:
    with pytest.raises(NotFound):
        harness.source.stamp(NOBODY, STAMP)
    with pytest.raises(NotFound):
        harness.source.forbid_autostart(NOBODY)


def test_autostart_forbidden_is_off(harness: Harness) -> None:
    harness.source.forbid_autostart(harness.off_vm)
    assert not harness.source.read_config(harness.off_vm).saved.autostart


def test_only_a_vm_with_a_process_has_running_settings(harness: Harness) -> None:
    running, off = (harness.source.read_config(uuid) for uuid in (harness.running_vm, harness.off_vm))
    assert running.running is not None
    assert running.running.memory_mib == running.saved.memory_mib
    assert off.running is None


def test_an_edit_changes_settings_and_fingerprint(harness: Harness) -> None:
    before = harness.source.read_config(harness.off_vm)
    harness.source.apply_settings(harness.off_vm, {"notes": "moved to rack 4", "vcpus": 1})
    after = harness.source.read_config(harness.off_vm)
    assert (after.saved.notes, after.saved.vcpus) == ("moved to rack 4", 1)
    assert after.fingerprint != before.fingerprint


def test_an_edit_of_a_running_vm_says_when_it_takes_effect(harness: Harness) -> None:
    memory = harness.source.read_config(harness.running_vm).saved.memory_mib + 8
    when = harness.source.apply_settings(harness.running_vm, {"memory_mib": memory})
    after = harness.source.read_config(harness.running_vm)
    assert when == {"memory_mib": "next_start"}
    assert after.saved.memory_mib == memory
    assert after.running is not None
    assert after.running.memory_mib < memory


@pytest.mark.parametrize(
    "changes",
    [{"vcpus": 0}, {"memory_mib": -1}, {"memory_mib": 1 << 40}, {"vcpus": "two"}, {"colour": "red"}],
)
def test_an_impossible_edit_is_refused_and_changes_nothing(
    harness: Harness, changes: dict[str, object]
) -> None:
    before = harness.source.read_config(harness.off_vm)
    with pytest.raises(Refused):
        harness.source.apply_settings(harness.off_vm, {"notes": "never written", **changes})
    assert harness.source.read_config(harness.off_vm) == before


# -- power --


def test_a_start_ends_paused_and_resume_lets_it_run(harness: Harness) -> None:
    assert finish(harness, harness.source.begin_start(harness.off_vm)) == (HandleState.DONE, "")
    assert state(harness.source, harness.off_vm) is DomainState.PAUSED
    harness.source.resume(harness.off_vm)
    assert state(harness.source, harness.off_vm) is DomainState.RUNNING


def test_suspend_and_resume(harness: Harness) -> None:
    harness.source.suspend(harness.running_vm)
    assert state(harness.source, harness.running_vm) is DomainState.PAUSED
    harness.source.resume(harness.running_vm)
    assert state(harness.source, harness.running_vm) is DomainState.RUNNING


def test_destroy_turns_off_at_once_and_may_be_repeated(harness: Harness) -> None:
    harness.source.destroy(harness.running_vm)
    assert state(harness.source, harness.running_vm) is DomainState.OFF
    harness.source.destroy(harness.running_vm)


def test_a_running_vm_cannot_be_started_again(harness: Harness) -> None:
    with pytest.raises(DriverError):
        _carry_out(harness, lambda: harness.source.begin_start(harness.running_vm))
    assert state(harness.source, harness.running_vm) is DomainState.RUNNING


def test_a_second_process_of_one_vm_is_stopped_by_the_image_lock(harness: Harness) -> None:
    harness.target.define(harness.source.read_config(harness.running_vm).definition)
    with pytest.raises(DriverError):
        _carry_out(harness, lambda: harness.target.begin_start(harness.running_vm))
    assert state(harness.target, harness.running_vm) is DomainState.OFF
    assert state(harness.source, harness.running_vm) is DomainState.RUNNING


def test_a_start_that_is_revoked_comes_to_nothing(harness: Harness) -> None:
    """At whatever moment it is: not begun, in progress or done (safety.md 1.3)."""
    definition = harness.source.read_config(harness.off_vm).definition
    for moment in (0.0, 0.3):
        handle = harness.source.begin_start(harness.off_vm)
        harness.wait(lambda: False, moment)
        harness.source.undefine(harness.off_vm)
        harness.source.destroy(harness.off_vm) if harness.source.sight(harness.off_vm) else None
        finish(harness, handle)
        assert not harness.wait(lambda: harness.source.sight(harness.off_vm) is not None, 2)
        harness.source.define(definition)
        assert state(harness.source, harness.off_vm) is DomainState.OFF


def test_a_call_that_comes_after_its_permit_is_not_made(harness: Harness) -> None:
    host, off, runs = harness.source, harness.off_vm, harness.running_vm
    with permitted(ports.clock().monotonic() - 1):
        for call in (
            lambda: host.begin_start(off),
            lambda: host.begin_migrate(runs, harness.destination, FAST),
            lambda: host.begin_save(runs, harness.saved_path()),
            lambda: host.destroy(runs),
            lambda: host.undefine(off),
            lambda: host.abort_job(runs),
        ):
            with pytest.raises(TooLate, match="was not made"):
                call()
    assert not harness.wait(lambda: state(host, runs) is not DomainState.RUNNING, 1)
    assert state(host, off) is DomainState.OFF
    with permitted(ports.clock().monotonic() + 60):
        host.destroy(runs)
    assert state(host, runs) is DomainState.OFF


def test_a_call_whose_answer_is_lost_has_neither_failed_nor_ended(harness: Harness) -> None:
    """What became of it only looks can tell (safety.md 1.3)."""
    handle = harness.source.begin_migrate(harness.running_vm, harness.destination, SLOW)
    assert harness.wait(lambda: bool(harness.source.jobs([harness.running_vm])), 10)
    harness.lose(handle)
    found, why = finish(harness, handle)
    assert found is HandleState.LOST
    assert why.endswith(".")
    assert harness.source.jobs([harness.running_vm])
    harness.source.abort_job(harness.running_vm)
    assert harness.wait(lambda: not harness.source.jobs([harness.running_vm]), 20)
    assert handle.poll()[0] is HandleState.LOST


# -- live migration --


def test_a_live_migration_moves_the_vm_and_its_definition(harness: Harness) -> None:
    before = harness.source.read_config(harness.running_vm)
    handle = harness.source.begin_migrate(harness.running_vm, harness.destination, FAST)
    assert finish(harness, handle) == (HandleState.DONE, "")
    seen = harness.target.sight(harness.running_vm)
    assert seen is not None
    assert (seen.state, seen.persistent, seen.incoming) == (DomainState.RUNNING, True, False)
    assert harness.source.sight(harness.running_vm) is None
    assert harness.target.read_config(harness.running_vm).fingerprint == before.fingerprint


def test_a_finished_migration_has_its_figures_on_the_target(harness: Harness) -> None:
    finish(harness, harness.source.begin_migrate(harness.running_vm, harness.destination, FAST))
    totals = harness.target.totals(harness.running_vm)
    assert totals is not None
    assert totals.elapsed_s > 0
    assert totals.bytes_sent > 0
    assert totals.downtime_ms is None or 0 < totals.downtime_ms < math.inf


def test_a_migration_under_way_shows_its_job_on_the_source(harness: Harness) -> None:
    harness.source.begin_migrate(harness.running_vm, harness.destination, SLOW)
    assert harness.wait(lambda: _sent(harness) > 0, 20)
    job = harness.source.jobs([harness.running_vm])[harness.running_vm]
    assert job.kind is JobKind.MIGRATION_OUT
    assert job.bytes_total > 0
    assert 0 <= job.bytes_left <= job.bytes_total
    assert job.iteration >= 1
    assert not job.switching
    assert job.elapsed_s > 0


def test_until_the_switch_the_source_runs_it_and_the_target_has_an_incoming_copy(harness: Harness) -> None:
    harness.source.begin_migrate(harness.running_vm, harness.destination, SLOW)
    assert harness.wait(lambda: _sent(harness) > 0, 20)
    there = harness.target.sight(harness.running_vm)
    assert state(harness.source, harness.running_vm) is DomainState.RUNNING
    assert there is not None
    assert there.incoming
    assert there.state is DomainState.PAUSED


def test_a_cancelled_migration_leaves_the_vm_where_it_was(harness: Harness) -> None:
    handle = harness.source.begin_migrate(harness.running_vm, harness.destination, SLOW)
    assert harness.wait(lambda: _sent(harness) > 0, 20)
    harness.source.abort_job(harness.running_vm)
    outcome, reason = finish(harness, handle)
    assert outcome is HandleState.FAILED
    assert reason
    assert harness.wait(lambda: harness.target.sight(harness.running_vm) is None, 10)
    assert state(harness.source, harness.running_vm) is DomainState.RUNNING
    assert harness.source.jobs([harness.running_vm]) == {}


def test_a_cancelled_migration_can_be_tried_again(harness: Harness) -> None:
    handle = harness.source.begin_migrate(harness.running_vm, harness.destination, SLOW)
    assert harness.wait(lambda: _sent(harness) > 0, 20)
    harness.source.abort_job(harness.running_vm)
    finish(harness, handle)
    again = harness.source.begin_migrate(harness.running_vm, harness.destination, FAST)
    assert finish(harness, again) == (HandleState.DONE, "")


def test_a_vm_has_one_job_at_a_time(harness: Harness) -> None:
    harness.source.begin_migrate(harness.running_vm, harness.destination, SLOW)
    assert harness.wait(lambda: _sent(harness) > 0, 20)
    with pytest.raises((Busy, Refused)):
        _carry_out(harness, lambda: harness.source.begin_save(harness.running_vm, harness.saved_path()))
    assert state(harness.source, harness.running_vm) is DomainState.RUNNING


def test_cancelling_nothing_is_no_error(harness: Harness) -> None:
    harness.source.abort_job(harness.running_vm)
    assert state(harness.source, harness.running_vm) is DomainState.RUNNING


def test_a_vm_that_is_off_cannot_be_live_migrated(harness: Harness) -> None:
    with pytest.raises(DriverError):
        _carry_out(harness, lambda: harness.source.begin_migrate(harness.off_vm, harness.destination, FAST))
    assert harness.target.sight(harness.off_vm) is None


# -- saved states --


def test_save_writes_a_file_that_both_hosts_see_and_ends_off(harness: Harness) -> None:
    path = harness.saved_path()
    assert finish(harness, harness.source.begin_save(harness.running_vm, path)) == (HandleState.DONE, "")
    assert state(harness.source, harness.running_vm) is DomainState.OFF
    assert harness.source.has_file(path)
    assert harness.target.has_file(path)


def test_a_whole_saved_state_is_told_from_none(harness: Harness) -> None:
    path, _ = _saved(harness)
    assert [host.is_whole(path) for host in _both(harness)] == [True, True]
    harness.target.delete_file(path)
    assert not harness.source.is_whole(path)


def test_restore_elsewhere_is_paused_and_transient_until_defined(harness: Harness) -> None:
    path, definition = _saved(harness)
    assert finish(harness, harness.target.begin_restore(path)) == (HandleState.DONE, "")
    seen = harness.target.sight(harness.running_vm)
    assert seen is not None
    assert (seen.state, seen.persistent, seen.incoming) == (DomainState.PAUSED, False, False)
    harness.target.delete_file(path)
    assert not harness.source.has_file(path)
    harness.target.resume(harness.running_vm)
    harness.target.define(definition)
    harness.source.undefine(harness.running_vm)
    kept = harness.target.sight(harness.running_vm)
    assert kept is not None
    assert (kept.state, kept.persistent) == (DomainState.RUNNING, True)
    assert harness.source.sight(harness.running_vm) is None


def test_a_transient_vm_is_gone_when_it_is_destroyed(harness: Harness) -> None:
    path, _ = _saved(harness)
    finish(harness, harness.target.begin_restore(path))
    harness.target.destroy(harness.running_vm)
    assert harness.target.sight(harness.running_vm) is None


def test_deleting_a_saved_state_may_be_repeated(harness: Harness) -> None:
    path, _ = _saved(harness)
    harness.target.delete_file(path)
    harness.target.delete_file(path)
    assert not harness.target.has_file(path)


def test_restoring_what_is_not_there_fails(harness: Harness) -> None:
    with pytest.raises(DriverError):
        _carry_out(harness, lambda: harness.target.begin_restore(harness.saved_path()))


def _both(harness: Harness) -> tuple[HostDriver, HostDriver]:
    return harness.source, harness.target


def _sent(harness: Harness) -> int:
    job = harness.source.jobs([harness.running_vm]).get(harness.running_vm)
    return 0 if job is None else job.bytes_sent


def _saved(harness: Harness) -> tuple[str, str]:
    path, config = harness.saved_path(), harness.source.read_config(harness.running_vm)
    assert finish(harness, harness.source.begin_save(harness.running_vm, path))[0] is HandleState.DONE
    return path, config.definition


def _carry_out(harness: Harness, begin: Callable[[], Handle]) -> None:
    """A driver may say no at once or by its handle; either way it is an error here."""
    outcome, reason = finish(harness, begin())
    if outcome is HandleState.FAILED:
        raise Refused(reason)
