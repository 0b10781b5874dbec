"""Whatever is ordered and whatever breaks, in any order: the simulation keeps its own laws."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from clustermgr.drivers.contract import DomainState, DriverError, MigrationOptions
from tests.drivers.lab_case import Case

HOSTS = ("n1", "n2", "n3")
STATE = "/clusterstorage/csv1/web.state"


def _orders(case: Case, chance: random.Random) -> list[Callable[[], object]]:
    """Mostly about the host that has the VM, or else none of them would find anything to do."""
    copies = case.world.copies(case.web)
    homes = [copy.host for copy in copies] or [chance.choice(HOSTS)]
    node, other = chance.choice(homes), chance.choice(HOSTS)
    host, target = case.host(node), case.host(other)
    options = MigrationOptions(bandwidth=chance.choice((0, 200 << 20)))
    return [
        *[lambda: host.begin_migrate(case.web, target.destination, options)] * 6,
        lambda: host.abort_job(case.web),
        lambda: target.define(copies[0].saved if copies else case.definition),
        lambda: host.undefine(case.web),
        *[lambda: host.begin_start(case.web)] * 3,
        *[lambda: host.resume(case.web)] * 3,
        lambda: host.suspend(case.web),
        lambda: host.destroy(case.web),
        lambda: host.begin_shutdown(case.web, forced=chance.random() < 0.5),
        *[lambda: host.begin_save(case.web, STATE)] * 2,
        *[lambda: target.begin_restore(STATE)] * 2,
        lambda: target.delete_file(STATE),
    ]


def _faults(case: Case, chance: random.Random) -> list[Callable[[], object]]:
    node, faults = chance.choice(HOSTS), case.faults
    return [
        lambda: faults.power_off(node),
        lambda: faults.cut(node),
        lambda: faults.agent_off(node),
        lambda: faults.storage_cut(node, "csv1"),
        lambda: faults.crash(case.web),
        lambda: faults.load(case.web, dirty_mib_s=chance.choice((0, 50, 3000))),
        lambda: faults.plan(case.web, {"never_converges": chance.random() < 0.2}),
    ]


def _mend(case: Case) -> None:
    for node in HOSTS:
        case.faults.power_on(node)
        case.faults.mend(node)
        case.faults.agent_on(node)
        case.faults.storage_mend(node, "csv1")


def _check(case: Case) -> None:
    copies = case.world.copies(case.web)
    holders = [copy for copy in copies if copy.holds_images]
    assert len(holders) <= 1, holders
    for copy in copies:
        assert copy.has_process == (copy.run_memory_mib > 0) == (copy.running is not None), copy
        assert copy.defined or copy.has_process, copy
        assert not copy.incoming or copy.state is DomainState.PAUSED, copy
    assert case.world.double_runs() == []


def play(seed: int, steps: int) -> Case:
    """A story made of chance alone; the laws are checked after each order and each stretch of time."""
    case, chance = Case(memory_mib=1024), random.Random(seed)
    case.world.set_speeds(node_boot_s=5)
    for _ in range(steps):
        dice = chance.random()
        with suppress(DriverError):
            if dice < 0.2:
                chance.choice(_faults(case, chance))()
            elif dice < 0.4:
                _mend(case)
            else:
                chance.choice(_orders(case, chance))()
        _check(case)
        case.after(chance.choice((0, 0.3, 1, 1, 4, 40)))
        _check(case)
    return case


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_orders_and_faults_keeps_the_laws(seed: int) -> None:
    play(seed, 250).world.store.close()
