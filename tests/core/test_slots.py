"""One live migration at a node: who goes now, and what the others are told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clustermgr.core.slots import Admission, Place, Waiter, admit

NAMES = {1: "hv-01", 2: "hv-02", 3: "hv-03", 4: "hv-04"}


def order(number: int, source: int, target: int, rank: int = 2000) -> Waiter:
    return Waiter(number, f"vm{number}", (source, target), rank, number)


def admitted(waiters: list[Waiter], taken: list[Place] | None = None, limit: int = 1) -> Admission:
    return admit(waiters, taken or [], limit=limit, names=NAMES)


def test_a_free_pair_is_granted_at_once() -> None:
    assert admitted([order(1, 1, 2)]).granted == {1: {1: 1, 2: 1}}


def test_two_pairs_without_a_common_node_go_together() -> None:
    assert set(admitted([order(1, 1, 2), order(2, 3, 4)]).granted) == {1, 2}


def test_the_second_at_a_node_waits_and_says_for_what() -> None:
    result = admitted([order(2, 1, 3), order(3, 1, 4)], [Place(1, 1, "web01")])
    assert result.granted == {}
    assert result.reasons == {
        2: "hv-01 is moving web01; 1st in line",
        3: "hv-01 is moving web01; 2nd in line",
    }


def test_higher_priority_goes_first_then_age() -> None:
    result = admitted([order(1, 1, 2, rank=1000), order(2, 1, 2, rank=3000), order(3, 1, 2, rank=3000)])
    assert set(result.granted) == {2}
    assert result.reasons[3].endswith("1st in line")
    assert result.reasons[1].endswith("2nd in line")


def test_nobody_overtakes_an_earlier_waiter_at_a_common_node() -> None:
    result = admitted([order(1, 1, 2), order(2, 2, 3)], [Place(1, 1, "web01")])
    assert result.granted == {}
    assert result.reasons[2] == "vm1 waits for hv-02 before this; 2nd in line"


def test_a_higher_limit_lets_more_go() -> None:
    assert set(admitted([order(1, 1, 2), order(2, 1, 3)], limit=2).granted) == {1, 2}


def test_under_a_lowered_limit_nobody_begins_while_more_run_than_allowed() -> None:
    result = admitted([order(3, 1, 4)], [Place(1, 2, "web01")])
    assert result.granted == {}
    assert result.reasons == {3: "hv-01 is moving web01; 1st in line"}


pairs = st.tuples(st.integers(1, 4), st.integers(1, 4)).filter(lambda pair: pair[0] != pair[1])


@given(st.lists(st.tuples(pairs, st.sampled_from([3000, 2000, 1000])), max_size=30), st.integers(1, 3))
def test_never_more_than_the_limit_and_every_waiter_has_a_reason(
    orders: list[tuple[tuple[int, int], int]], limit: int
) -> None:
    waiters = [order(n, pair[0], pair[1], rank) for n, (pair, rank) in enumerate(orders)]
    result = admitted(waiters, limit=limit)
    for node in NAMES:
        numbers = [slots[node] for slots in result.granted.values() if node in slots]
        assert len(numbers) == len(set(numbers)) <= limit
        assert all(1 <= number <= limit for number in numbers)
    assert set(result.granted) | set(result.reasons) == {w.operation for w in waiters}
    assert not waiters or result.granted
