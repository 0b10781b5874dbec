"""How often configurations are read: the cluster's by turns, those of others once and when they changed."""

from __future__ import annotations

from dataclasses import replace

from clustermgr.core.readings import Seen
from clustermgr.core.states import VmState
from clustermgr.jobs.turns import OTHERS_S, Turns


def machine(name: str) -> Seen:
    return Seen(name, name, VmState.RUNNING, process=True)


def read(turns: Turns, wanted: frozenset[str], *, since: float, seconds: int) -> list[str]:
    return [uuid for second in range(seconds) for uuid in turns.due(since + second, wanted)]


def test_each_of_the_clusters_is_read_once_in_its_period() -> None:
    wanted = frozenset(f"vm-{number}" for number in range(120))
    turns = Turns({name: machine(name) for name in wanted})
    assert set(read(turns, wanted, since=0, seconds=61)) == wanted


def test_machines_of_others_are_read_once_and_again_after_minutes() -> None:
    turns = Turns({name: machine(name) for name in ("a", "b", "c", "ours")})
    wanted = frozenset({"ours"})
    first = read(turns, wanted, since=0, seconds=10)
    assert sorted(set(first) - wanted) == ["a", "b", "c"]
    assert set(read(turns, wanted, since=10, seconds=200)) == wanted
    assert set(read(turns, wanted, since=OTHERS_S, seconds=10)) == {"a", "b", "c", "ours"}


def test_one_that_changed_is_read_at_once() -> None:
    turns = Turns({"a": machine("a")})
    read(turns, frozenset(), since=0, seconds=5)
    turns.seen = {"a": replace(machine("a"), state=VmState.OFF, process=False)}
    assert turns.due(6, frozenset()) == ["a"]


def test_what_arrives_is_read_when_it_is_there() -> None:
    turns = Turns({"a": replace(machine("a"), incoming=True)})
    assert turns.due(0, frozenset()) == []
    turns.seen = {"a": machine("a")}
    assert turns.due(5, frozenset()) == ["a"]


def test_a_thousand_of_others_are_read_a_few_at_a_time() -> None:
    turns = Turns({f"vm-{number}": machine(f"vm-{number}") for number in range(1000)})
    assert len(turns.due(0, frozenset())) == 2
