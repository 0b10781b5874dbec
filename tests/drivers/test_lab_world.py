"""The simulation itself: power, locks, storage, saved states, faults, and that it outlives its processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clustermgr import ports
from clustermgr.drivers.contract import (
    AgentDown,
    DomainState,
    Failed,
    HandleState,
    HostUnreachable,
    MigrationOptions,
    Refused,
)
from clustermgr.drivers.lab import demo, store
from clustermgr.drivers.lab.driver import LabHost
from clustermgr.drivers.lab.store import Store
from clustermgr.drivers.lab.world import World
from clustermgr.drivers.registry import connect
from tests.drivers.lab_case import Case
from tests.fakes import VirtualClock

STATE = "/clusterstorage/csv1/web.state"


def state(case: Case, host: str = "n1") -> DomainState:
    seen = case.host(host).sight(case.web)
    assert seen is not None
    return seen.state


# -- who answers --


def test_a_host_without_power_says_so(case: Case) -> None:
    case.faults.power_off("n1")
    with pytest.raises(HostUnreachable, match="n1 does not answer: its power is off"):
        case.host("n1").ping()


def test_a_host_answers_after_its_boot_time_with_its_vms_off(case: Case) -> None:
    case.faults.power_off("n1")
    case.faults.power_on("n1")
    with pytest.raises(HostUnreachable, match="still starting"):
        case.after(119).host("n1").ping()
    case.after(2)
    assert state(case) is DomainState.OFF


def test_a_cut_path_hides_the_host_and_leaves_its_vms_running(case: Case) -> None:
    case.faults.cut("n1")
    with pytest.raises(HostUnreachable, match="management network is cut"):
        case.host("n1").sights()
    assert case.where() == {"n1": "running"}
    case.faults.mend("n1")
    assert state(case) is DomainState.RUNNING


def test_a_dead_daemon_is_not_a_dead_host(case: Case) -> None:
    case.faults.agent_off("n1")
    with pytest.raises(AgentDown):
        case.host("n1").ping()
    assert case.where() == {"n1": "running"}
    case.faults.agent_on("n1")
    assert state(case) is DomainState.RUNNING


def test_a_hanging_host_answers_nobody(case: Case) -> None:
    case.faults.hang("n1")
    ports_clock = ports.clock()
    ports.install(clock=case.clock)
    try:
        with pytest.raises(HostUnreachable, match="within 5 seconds"):
            case.host("n1").sights()
    finally:
        ports.install(clock=ports_clock)


def test_a_host_that_does_not_exist_is_named_with_those_that_do(case: Case) -> None:
    store.use(case.world.store)
    try:
        with pytest.raises(HostUnreachable, match=r"called “n9”\. There are: n1, n2, n3"):
            connect("lab", "lab:n9")
        assert connect("lab", "lab:n1").ping() == case.host("n1").ping()
    finally:
        store.use(None)


# -- one process --


def test_the_image_lock_stops_a_second_copy_and_keeps_a_record(case: Case) -> None:
    case.host("n2").define(case.host("n1").read_config(case.web).definition)
    handle = case.host("n2").begin_start(case.web)
    outcome, reason = case.after(1).poll(handle)
    assert outcome is HandleState.FAILED
    assert "in use on n1" in reason
    assert case.where() == {"n1": "running"}
    assert [refusal.hosts for refusal in case.world.lock_refusals()] == [("n1", "n2")]


def test_without_the_lock_a_second_running_copy_is_put_on_record(case: Case) -> None:
    case.faults.image_lock("csv1", locks=False)
    case.host("n2").define(case.host("n1").read_config(case.web).definition)
    case.host("n2").begin_start(case.web)
    case.after(1)
    assert case.world.double_runs() == []
    case.host("n2").resume(case.web)
    assert [(run.uuid, run.hosts) for run in case.world.double_runs()] == [(case.web, ("n1", "n2"))]


def test_a_host_cut_off_still_holds_the_image(case: Case) -> None:
    definition = case.host("n1").read_config(case.web).definition
    case.faults.cut("n1")
    case.host("n2").define(definition)
    handle = case.host("n2").begin_start(case.web)
    assert case.after(1).outcome(handle) is HandleState.FAILED


def test_after_a_power_loss_the_vm_starts_elsewhere(case: Case) -> None:
    definition = case.host("n1").read_config(case.web).definition
    case.faults.power_off("n1")
    case.host("n2").define(definition)
    case.host("n2").begin_start(case.web)
    case.after(1).host("n2").resume(case.web)
    assert case.where() == {"n2": "running"}


def test_undefining_a_vm_that_is_being_started_leaves_a_transient_one(case: Case) -> None:
    case.host("n1").destroy(case.web)
    case.host("n1").begin_start(case.web)
    case.host("n1").undefine(case.web)
    seen = case.after(2).host("n1").sight(case.web)
    assert seen is not None
    assert (seen.state, seen.persistent) == (DomainState.PAUSED, False)
    case.host("n1").destroy(case.web)
    assert case.host("n1").sight(case.web) is None


# -- stops and planned faults --


def test_a_guest_shuts_down_in_its_time(case: Case) -> None:
    case.host("n1").begin_shutdown(case.web)
    assert state(case) is DomainState.STOPPING
    case.after(9)
    assert state(case) is DomainState.STOPPING
    case.after(2)
    assert state(case) is DomainState.OFF


def test_a_forced_shutdown_is_quicker(case: Case) -> None:
    case.host("n1").begin_shutdown(case.web)
    case.host("n1").begin_shutdown(case.web, forced=True)
    case.after(4)
    assert state(case) is DomainState.OFF


@pytest.mark.parametrize("deaf", ["planned", "hung"])
def test_a_guest_that_does_not_hear_can_only_be_turned_off(case: Case, deaf: str) -> None:
    if deaf == "planned":
        case.faults.plan(case.web, {"stop_hangs": True})
    else:
        case.faults.hang_guest(case.web)
    case.host("n1").begin_shutdown(case.web)
    case.after(3600)
    assert state(case) is DomainState.STOPPING
    case.host("n1").destroy(case.web)
    assert state(case) is DomainState.OFF


@pytest.mark.parametrize("faults", [{"start_fails": 1}, {"start_fails_on": {"n1": 1}}])
def test_a_planned_start_failure_happens_once(faults: dict[str, object]) -> None:
    case = Case(state="off", faults=faults)
    handle = case.host("n1").begin_start(case.web)
    assert case.after(1).outcome(handle) is HandleState.FAILED
    handle = case.host("n1").begin_start(case.web)
    assert case.after(1).outcome(handle) is HandleState.DONE


def test_a_start_needs_memory_that_is_free(case: Case) -> None:
    big = case.world.vm("big", on="n1", memory_mib=63000, state="off")
    with pytest.raises(Refused, match="needs 63000 MiB of memory and 61440 MiB are free"):
        case.host("n1").begin_start(big)


# -- storage --


def test_a_lost_volume_pauses_its_guests_until_it_is_back_and_they_are_resumed(case: Case) -> None:
    case.faults.storage_cut("n1", "csv1")
    case.after(3)
    assert state(case) is DomainState.PAUSED_IO
    with pytest.raises(Failed, match="does not reach its volume csv1"):
        case.host("n1").resume(case.web)
    case.faults.storage_mend("n1", "csv1")
    assert state(case) is DomainState.PAUSED_IO
    case.host("n1").resume(case.web)
    assert state(case) is DomainState.RUNNING


def test_nobody_can_say_whether_a_file_is_there_on_a_volume_out_of_reach(case: Case) -> None:
    case.faults.storage_cut("n1", "csv1")
    with pytest.raises(Failed, match="n1 cannot reach csv1 now"):
        case.host("n1").has_file(STATE)


def test_a_cluster_disk_belongs_to_one_host_at_a_time(case: Case) -> None:
    case.world.volume("disk1", kind="disk", owner="n1")
    case.world.vm("vault", on="n1", volume="disk1")
    with pytest.raises(Refused, match="active on n1"):
        case.host("n2").activate_volume("disk1")
    with pytest.raises(Refused, match="in use on n1 by vault"):
        case.host("n1").deactivate_volume("disk1")
    case.faults.power_off("n1")
    case.host("n2").activate_volume("disk1")
    assert {v.name: v.active for v in case.host("n2").volumes()} == {"csv1": True, "disk1": True}


# -- saved states --


def test_saving_takes_its_time_and_shows_it(case: Case) -> None:
    handle = case.host("n1").begin_save(case.web, STATE)
    job = case.after(4.096).host("n1").jobs([case.web])[case.web]
    assert job.bytes_left == pytest.approx(job.bytes_total / 2, rel=0.001)
    assert case.after(5).outcome(handle) is HandleState.DONE
    assert state(case) is DomainState.OFF


def test_a_cancelled_save_leaves_the_vm_running_and_no_file(case: Case) -> None:
    case.host("n1").begin_save(case.web, STATE)
    case.after(1).host("n1").abort_job(case.web)
    assert state(case) is DomainState.RUNNING
    assert not case.host("n1").has_file(STATE)


def test_a_failed_save_leaves_the_vm_running(case: Case) -> None:
    case.faults.plan(case.web, {"save_fails": 1})
    handle = case.host("n1").begin_save(case.web, STATE)
    assert case.after(10).outcome(handle) is HandleState.FAILED
    assert state(case) is DomainState.RUNNING


def test_a_file_half_written_when_the_power_went_is_not_restored(case: Case) -> None:
    case.host("n1").begin_save(case.web, STATE)
    case.after(1).faults.power_off("n1")
    assert case.host("n2").has_file(STATE)
    with pytest.raises(Failed, match="incomplete"):
        case.host("n2").begin_restore(STATE)


def test_a_vm_that_its_host_keeps_saved_is_off_once_the_file_is_deleted() -> None:
    case = Case(state="saved")
    path = case.world.saved_file(case.web)
    assert state(case) is DomainState.SAVED
    with pytest.raises(Refused, match="saved state would be lost"):
        case.host("n1").undefine(case.web)
    case.host("n2").begin_restore(path)
    case.after(20).host("n2").delete_file(path)
    assert (state(case), state(case, "n2")) == (DomainState.OFF, DomainState.PAUSED)


def test_a_start_goes_on_from_a_state_that_the_host_kept_and_spends_it() -> None:
    case = Case(state="saved")
    case.host("n1").begin_start(case.web)
    case.after(20)
    assert state(case) is DomainState.PAUSED
    assert case.world.saved_file(case.web) == ""


# -- figures --


def test_samples_follow_load_and_are_the_same_for_everybody(case: Case) -> None:
    idle = case.host("n1").sample()
    case.faults.load(case.web, cpu=2.0)
    busy = case.host("n1").sample()
    assert busy.cpu_percent > idle.cpu_percent
    assert busy.vms[0].cpu_percent > idle.vms[0].cpu_percent
    assert busy == case.host("n1").sample()


# -- one store, many processes --


def test_another_process_sees_the_same_world_and_carries_it_on(tmp_path: Path) -> None:
    clock, path = VirtualClock(), tmp_path / "lab.sqlite3"
    world = World(Store(path), clock)
    demo.seed_small(world.store, nodes=2, vms=1, clock=clock)
    host = LabHost(world, "n1")
    uuid = host.sights()[0].uuid
    host.begin_migrate(uuid, LabHost(world, "n2").destination, MigrationOptions())
    world.store.close()
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["n2", "running"], done.stderr
    assert World(Store(path), clock).processes(uuid) == {"n2": DomainState.RUNNING}


_ELSEWHERE = """
import sys
from clustermgr.drivers.lab.driver import LabHost
from clustermgr.drivers.lab.store import Store
from clustermgr.drivers.lab.world import World
seen = LabHost(World(Store(sys.argv[1])), "n2").sights()[0]  # the real clock is far past the virtual one
print("n2", seen.state)
"""


def test_the_demonstration_looks_like_somebodys_cluster() -> None:
    clock, hosts = VirtualClock(), Store.memory()
    main, second = demo.seed(hosts, clock), demo.seed_second(hosts, clock)
    world = World(hosts, clock)
    assert world.hosts() == ["br-01", "br-02", "hv-01", "hv-02", "hv-03", "hv-04"]
    assert {vm.state for vm in main.vms} == {"running", "off", "saved", "paused"}
    names = {vm.name for vm in (*main.vms, *second.vms)}
    assert set(demo.HINTS) <= names
    for name in world.hosts():
        sample = LabHost(world, name).sample()
        assert sample.memory_used_mib < LabHost(world, name).facts().memory_mib * 0.8
    demo.seed(hosts, clock)
    assert len(world.hosts()) == 6


def test_thousands_of_vms_are_looked_at_without_a_write() -> None:
    clock = VirtualClock()
    world = World.build(clock=clock)
    with world.write():
        for number in range(4):
            world.node(f"n{number}", memory_mib=1 << 20)
            for index in range(125):
                world.vm(f"vm-{number}-{index}", on=f"n{number}")
    before = world.store.connection().total_changes
    assert [len(LabHost(world, name).sights()) for name in world.hosts()] == [125] * 4
    assert world.store.connection().total_changes == before
