"""Live migration on the simulated hosts: its course, its end, and what happens when something breaks."""

from __future__ import annotations

import pytest

from clustermgr.drivers.contract import DomainState, HandleState, MigrationOptions, Refused
from clustermgr.drivers.lab.rows import MIB
from tests.drivers.lab_case import Case

COPYING, SWITCHING = 2.0, 4.52


def test_memory_is_copied_in_rounds_then_the_vm_switches(case: Case) -> None:
    case.migrate()
    job = case.after(2.5).host("n1").jobs([case.web])[case.web]
    assert (job.iteration, job.bytes_sent, job.bytes_left) == (1, 2048 * MIB, 2048 * MIB)
    assert (job.bytes_total, job.rate) == (4096 * MIB, 1024 * MIB)
    assert case.after(10).where() == {"n2": "running"}
    assert case.world.double_runs() == []


def test_a_busy_guest_needs_more_rounds_and_longer() -> None:
    figures = []
    for dirty in (0, 200, 600):
        case = Case(dirty_mib_s=dirty)
        case.migrate()
        totals = case.after(120).host("n2").totals(case.web)
        assert totals is not None
        figures.append((totals.iterations, totals.elapsed_s))
    assert figures == sorted(figures)
    assert len({rounds for rounds, _ in figures}) == 3


def test_a_guest_faster_than_the_link_is_slowed_down_until_it_fits() -> None:
    case = Case(dirty_mib_s=3000)
    case.migrate()
    assert case.after(200).where() == {"n2": "running"}


def test_a_guest_that_never_converges_copies_until_it_is_cancelled() -> None:
    case = Case(faults={"never_converges": True})
    handle = case.migrate()
    assert case.after(3600).host("n1").jobs([case.web])[case.web].iteration > 500
    case.host("n1").abort_job(case.web)
    assert handle.poll() == (HandleState.FAILED, "The migration was cancelled.")
    assert case.where() == {"n1": "running"}


def test_a_guest_that_calms_down_lets_its_migration_end() -> None:
    case = Case(faults={"never_converges": True})
    case.migrate()
    case.after(60).faults.plan(case.web, {"never_converges": False})
    case.faults.load(case.web, dirty_mib_s=1)
    assert case.after(30).where() == {"n2": "running"}


def test_a_limit_on_the_rate_is_kept(case: Case) -> None:
    options = MigrationOptions(bandwidth=100 * MIB)
    case.host("n1").begin_migrate(case.web, case.host("n2").destination, options)
    assert case.after(10.5).host("n1").jobs([case.web])[case.web].bytes_sent == 1000 * MIB


def test_the_same_story_gives_the_same_figures_however_often_somebody_looks() -> None:
    watched, left_alone = Case(dirty_mib_s=300), Case(dirty_mib_s=300)
    watched.migrate()
    left_alone.migrate()
    for _ in range(200):
        watched.after(0.1).host("n1").sights()
    left_alone.after(20)
    seen = watched.host("n2").totals(watched.web), left_alone.host("n2").totals(left_alone.web)
    assert seen[0] is not None
    assert seen[1] is not None
    assert seen[0].elapsed_s == pytest.approx(seen[1].elapsed_s, abs=1e-3)
    assert seen[0].bytes_sent == pytest.approx(seen[1].bytes_sent, abs=MIB)


def test_nothing_runs_while_the_vm_switches_and_then_it_cannot_be_cancelled(case: Case) -> None:
    case.migrate()
    job = case.after(SWITCHING).host("n1").jobs([case.web])[case.web]
    assert job.switching
    assert case.where() == {"n1": "paused", "n2": "incoming"}
    with pytest.raises(Refused, match="cannot be cancelled"):
        case.host("n1").abort_job(case.web)
    assert case.after(1).where() == {"n2": "running"}


def test_the_pause_is_short(case: Case) -> None:
    case.migrate()
    totals = case.after(30).host("n2").totals(case.web)
    assert totals is not None
    assert totals.downtime_ms is not None
    assert 100 <= totals.downtime_ms <= 500


def test_a_suspended_vm_arrives_suspended(case: Case) -> None:
    case.host("n1").suspend(case.web)
    case.migrate()
    assert case.after(10).where() == {"n2": "paused"}
    case.host("n2").resume(case.web)
    assert case.where() == {"n2": "running"}


# -- power --


@pytest.mark.parametrize("moment", [0.1, COPYING, SWITCHING])
def test_when_the_source_loses_power_the_incoming_copy_stays_for_half_a_minute(
    case: Case, moment: float
) -> None:
    case.migrate()
    case.after(moment).faults.power_off("n1")
    assert case.where() == {"n2": "incoming"}
    assert case.after(29).where() == {"n2": "incoming"}
    assert case.after(2).where() == {}
    assert case.host("n2").sight(case.web) is None


@pytest.mark.parametrize("moment", [0.1, COPYING, SWITCHING])
def test_when_the_target_loses_power_the_vm_stays_on_the_source(case: Case, moment: float) -> None:
    handle = case.migrate()
    case.after(moment).faults.power_off("n2")
    outcome, reason = case.after(6).poll(handle)
    assert outcome is HandleState.FAILED
    assert "kept on n1" in reason
    assert case.where() == {"n1": "running"}


def test_after_the_switch_the_loss_of_the_source_does_not_matter(case: Case) -> None:
    case.migrate()
    case.after(10).faults.power_off("n1")
    assert case.where() == {"n2": "running"}


def test_a_start_on_the_target_waits_until_its_stale_incoming_copy_is_gone(case: Case) -> None:
    definition = case.host("n1").read_config(case.web).definition
    case.migrate()
    case.after(COPYING).faults.power_off("n1")
    case.host("n2").define(definition)
    handle = case.host("n2").begin_start(case.web)
    assert case.after(20).outcome(handle) is HandleState.RUNNING
    assert case.after(15).outcome(handle) is HandleState.DONE
    assert case.where() == {"n2": "paused"}


def test_a_start_on_a_third_host_need_not_wait_for_it(case: Case) -> None:
    definition = case.host("n1").read_config(case.web).definition
    case.migrate()
    case.after(COPYING).faults.power_off("n1")
    case.host("n3").define(definition)
    case.host("n3").begin_start(case.web)
    case.after(1).host("n3").resume(case.web)
    assert case.after(60).where() == {"n3": "running"}
    assert case.world.double_runs() == []


def test_a_failed_migration_leaves_a_definition_that_the_target_had(case: Case) -> None:
    case.host("n2").define(case.host("n1").read_config(case.web).definition)
    case.migrate()
    case.after(COPYING).host("n1").abort_job(case.web)
    seen = case.host("n2").sight(case.web)
    assert seen is not None
    assert (seen.state, seen.incoming) == (DomainState.OFF, False)


# -- cables and daemons --


@pytest.mark.parametrize("end", ["n1", "n2"])
def test_when_the_path_is_cut_the_source_gives_up_and_the_vm_runs_on(case: Case, end: str) -> None:
    handle = case.migrate()
    case.after(COPYING).faults.cut(end)
    # The caller hears of the source's own silence that his call is lost, and of the target's how it ends.
    lost = HandleState.LOST if end == "n1" else None
    assert case.after(4).outcome(handle) is (lost or HandleState.RUNNING)
    assert case.after(2).outcome(handle) is (lost or HandleState.FAILED)
    assert case.where() == {"n1": "running", "n2": "incoming"}
    assert case.after(30).where() == {"n1": "running"}


def test_a_cable_that_is_mended_in_time_costs_only_time(case: Case) -> None:
    case.migrate()
    case.after(2.5).faults.cut("n2")
    case.after(3).faults.mend("n2")
    assert case.host("n1").jobs([case.web])[case.web].bytes_sent == 2048 * MIB
    assert case.after(6).where() == {"n2": "running"}


def test_a_cut_in_the_middle_of_the_switch_gives_the_vm_back_to_the_source(case: Case) -> None:
    case.migrate()
    case.after(SWITCHING).faults.cut("n2")
    assert case.after(6).where()["n1"] == "running"
    assert case.after(30).where() == {"n1": "running"}


@pytest.mark.parametrize("end", ["n1", "n2"])
def test_a_daemon_that_dies_ends_the_migration_and_not_the_vm(case: Case, end: str) -> None:
    handle = case.migrate()
    case.after(COPYING).faults.agent_off(end)
    assert handle.poll()[0] is (HandleState.LOST if end == "n1" else HandleState.FAILED)
    assert case.after(31).where() == {"n1": "running"}


def test_a_crash_during_the_copy_ends_both(case: Case) -> None:
    handle = case.migrate()
    case.after(COPYING).faults.crash(case.web)
    assert handle.poll()[0] is HandleState.FAILED
    assert case.where() == {}
    seen = case.host("n1").sight(case.web)
    assert seen is not None
    assert seen.state is DomainState.CRASHED


def test_destroying_the_incoming_copy_keeps_the_vm_on_the_source(case: Case) -> None:
    case.migrate()
    case.after(SWITCHING).host("n2").destroy(case.web)
    assert case.where() == {"n1": "running"}


def test_a_planned_failure_happens_as_often_as_planned() -> None:
    case = Case(faults={"migrate_fails": 1})
    handle = case.migrate()
    assert case.after(10).outcome(handle) is HandleState.FAILED
    assert case.where() == {"n1": "running"}
    case.migrate()
    assert case.after(10).where() == {"n2": "running"}


# -- refusals --


def test_a_target_that_lacks_something_refuses_before_anything_is_done(case: Case) -> None:
    case.world.node("old", cpu_features=("aes",))
    case.world.node("tiny", memory_mib=1024)
    case.world.node("apart", networks=("Elsewhere",))
    case.world.vm("ml", on="n1", cpu_features=("avx512f",))
    with pytest.raises(Refused, match="needs 4096 MiB"):
        case.migrate(to="tiny")
    with pytest.raises(Refused, match="no network called “Production”"):
        case.migrate(to="apart")
    case.web = case.world.copies(case.world.vm("calc", on="n1", cpu_features=("avx512f",)))[0].uuid
    with pytest.raises(Refused, match="lacks avx512f"):
        case.migrate(to="old")
    assert case.where() == {"n1": "running"}


def test_a_target_that_is_silent_or_without_the_volume_is_refused(case: Case) -> None:
    case.faults.storage_cut("n3", "csv1")
    with pytest.raises(Refused, match="csv1 cannot be reached"):
        case.migrate(to="n3")
    case.faults.power_off("n2")
    with pytest.raises(Refused, match="n1 gets no answer from n2"):
        case.migrate(to="n2")
