"""Places for a worker's threads: limits by kind, a line for the rest, recoveries first."""

from __future__ import annotations

import threading

import pytest

from clustermgr.celery import app
from clustermgr.jobs import threads
from clustermgr.jobs.threads import Errand, Limit, Placed, Places, limit_of
from clustermgr.supervisor import processes


def errand(number: int, name: str = "drive") -> Errand:
    return Errand(name, (number,), lambda _: None)


@pytest.fixture
def full() -> Places:
    places = Places()
    for number in range(Limit.ORDINARY):
        assert places.enter(errand(number), Limit.ORDINARY)
    return places


def test_beyond_its_limit_an_order_stands_in_line_once(full: Places) -> None:
    assert not full.enter(errand(100), Limit.ORDINARY)
    assert not full.enter(errand(100), Limit.ORDINARY)
    assert not full.enter(errand(101), Limit.ORDINARY)
    assert [full.leave(), full.leave(), full.leave()] == [errand(100), errand(101), None]
    assert full.taken == Limit.ORDINARY - 1


def test_recoveries_have_places_that_orders_never_take(full: Places) -> None:
    for number in range(Limit.RECOVERY - Limit.ORDINARY):
        assert full.enter(errand(200 + number), Limit.RECOVERY)
    assert not full.enter(errand(300), Limit.RECOVERY)
    assert not full.enter(errand(100), Limit.ORDINARY)
    assert full.leave() == errand(300)
    assert full.leave() is None  # an order waits until the places of orders are free
    assert full.taken < threads.THREADS


def test_only_some_may_do_nothing_but_wait(full: Places) -> None:
    most = threads.WAITING[Limit.ORDINARY]
    assert [full.wait(Limit.ORDINARY) for _ in range(most + 1)] == [True] * most + [False]
    assert full.wait(Limit.RECOVERY)
    full.go_on()
    full.go_on()
    assert full.wait(Limit.ORDINARY)


def test_a_worker_that_stops_takes_nobody_from_the_line(full: Places) -> None:
    full.enter(errand(100), Limit.ORDINARY)
    full.close()
    assert full.leave() is None


def test_what_is_short_takes_a_thread_whenever_there_is_one() -> None:
    assert limit_of(threads.DRIVE, "operations") == Limit.ORDINARY
    assert limit_of("clustermgr.jobs.stamps.stamp", "default") == Limit.ORDINARY
    assert limit_of(threads.DRIVE, "engine") == Limit.RECOVERY
    assert limit_of("clustermgr.jobs.engine.decide_all", "engine") is None
    assert limit_of("clustermgr.jobs.watch.watch", "watch") is None


def test_every_task_asks_for_a_place_and_a_worker_has_that_many_threads() -> None:
    ours = [task for name, task in app.tasks.items() if name.startswith("clustermgr.")]
    assert ours
    assert all(isinstance(task, Placed) for task in ours)
    argv = processes.worker().argv
    assert argv[argv.index("-c") + 1] == str(threads.THREADS)


def test_a_thread_goes_on_with_the_line_also_after_a_task_that_stumbled(db: None) -> None:
    places, ran, go = Places(), [], threading.Event()

    def first(_: int) -> None:
        go.wait(5)
        raise ValueError("a fault")

    thread = threading.Thread(target=lambda: places.run(Errand("first", (1,), first), Limit.ORDINARY))
    places.taken = Limit.ORDINARY - 1
    thread.start()
    while places.taken < Limit.ORDINARY:
        threading.Event().wait(0.01)
    places.run(Errand("second", (2,), ran.append), Limit.ORDINARY)
    assert ran == []
    go.set()
    thread.join(5)
    assert (ran, places.taken) == ([2], Limit.ORDINARY - 1)
