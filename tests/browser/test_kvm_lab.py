"""The console on three real libvirt nodes: a guest is moved and watched, nothing of it ever restarts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.console import Console
from tests.browser.orders import Move, rows
from tests.browser.test_move import assert_moved, watch_bars
from tests.kvm import KvmLab, wait_for
from tests.kvm import kvm_lab as kvm_lab
from tests.stack import Stack

pytestmark = [pytest.mark.qemu, pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

#: A change made on a host shows within this: one sweep of all configurations.
SWEEP_S = 60


@pytest.fixture(scope="module")
def console(kvm_lab: KvmLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """`make run HOSTS=kvm-lab`, in a folder of its own."""
    kvm_lab.unmanage()
    place = {"HOSTS": "kvm-lab", "CLUSTERMGR_KVM_LAB": str(kvm_lab.root)}
    with Stack(tmp_path_factory.mktemp("on-kvm"), **place) as stack:
        yield Console.of(stack)


@pytest.fixture
def lab(kvm_lab: KvmLab) -> Iterator[KvmLab]:
    """The guest `counter` goes on where it was, whatever a test did, and exists once."""
    before = kvm_lab.counter()
    yield kvm_lab
    assert len(kvm_lab.pids(kvm_lab.vm("counter"))) == 1
    assert wait_for(lambda: kvm_lab.counter() > before), "the guest stands still"
    counts = kvm_lab.counts()
    assert all(one < next_ for one, next_ in itertools.pairwise(counts)), "the guest restarted"


def homes(lab: KvmLab, name: str) -> list[str]:
    """The nodes that run this guest, as they say themselves."""
    listed = {node.name: lab.virsh(number, "list", "--name") for number, node in enumerate(lab.nodes, 1)}
    return [node for node, names in listed.items() if name in names.split()]


def running(lab: KvmLab, name: str) -> list[int]:
    """Nodes that say that it runs there. A move between two questions is not two: asked again."""
    first = [number for number in (1, 2, 3) if runs(lab, number, name)]
    return first if len(first) < 2 else [number for number in first if runs(lab, number, name)]


def runs(lab: KvmLab, number: int, name: str) -> bool:
    return name in lab.virsh(number, "list", "--state-running", "--name").split()


def away(lab: KvmLab) -> tuple[str, str]:
    """Where `counter` runs, and another node."""
    (here,) = homes(lab, "counter")
    return here, next(node.name for node in lab.nodes if node.name != here)


def test_the_hosts_of_the_lab_are_there_with_their_guests(console: Console, page: Any, lab: KvmLab) -> None:
    console.sign_in(page, "viewer")
    row = console.roles(page, "counter")
    page.wait_for_selector(f"{row} .c-state:has-text('Running')")
    assert page.locator("tr[id^=vm-]").count() == len(lab.description["vms"])
    nodes = rows(console.stack, "SELECT state, hypervisor FROM clustermgr_node")
    assert [node["state"] for node in nodes] == ["up"] * 3
    assert all(node["hypervisor"].startswith("QEMU ") for node in nodes)
    kinds = rows(console.stack, "SELECT name, kind FROM clustermgr_volume ORDER BY name")
    assert kinds == [{"name": "csv1", "kind": "csv"}, {"name": "disk1", "kind": "disk"}]


def test_a_real_guest_moves_by_the_same_clicks_and_never_restarts(
    console: Console, new_page: Callable[..., Any], lab: KvmLab
) -> None:
    _, target = away(lab)
    page = console.sign_in(new_page(), "operator")
    row = console.roles(page, "counter")
    page.evaluate("window.stayed = true")
    console.move(page, target)
    page.wait_for_selector("#dock tbody tr:has-text('counter')")
    bars = watch_bars(page, row)
    assert_moved([in_row for in_row, _ in bars])
    assert_moved([in_dock for _, in_dock in bars])
    page.wait_for_selector(f"{row} .c-owner:has-text('{target}')")
    page.wait_for_selector(f"{row} .c-state:has-text('Running')")
    page.wait_for_selector("#dock tr:has-text('counter'):has-text('Done')")
    assert page.evaluate("window.stayed") is True
    assert homes(lab, "counter") == [target]


def test_a_real_migration_cancelled_half_way_leaves_nothing_on_the_target(
    console: Console, page: Any, lab: KvmLab
) -> None:
    here, target = away(lab)
    console.sign_in(page, "operator")
    row = console.roles(page, "counter")
    console.move(page, target)
    watch_bars(page, row, until=20)
    page.click("#dock tbody tr:has-text('counter') >> text=Cancel")
    page.wait_for_selector("#dock tr:has-text('counter'):has-text('Cancelled')")
    page.wait_for_selector(f"{row} .c-owner:has-text('{here}')")
    assert homes(lab, "counter") == [here]


def test_a_real_migration_survives_the_death_of_its_worker(console: Console, lab: KvmLab) -> None:
    _, target = away(lab)
    move = Move.order(console.stack, "counter", target)
    console.stack.wait(lambda: move.percent >= 5, 30, "the migration to be under way")
    console.stack.kill9("worker")
    assert not move.settled
    console.stack.back("worker")
    most: set[int] = set()
    console.stack.wait(
        lambda: most.add(len(running(lab, "counter"))) or move.settled,
        60,
        f"the operation to settle: {move.row}",
    )
    assert most <= {0, 1}, "it ran twice"
    # Host to host: it goes on without us, and what is told is what was seen.
    assert move.row["state"] == "succeeded", move.row["outcome"]
    assert move.subject["node"] == target
    assert homes(lab, "counter") == [target]


def drifted(console: Console) -> dict[str, str]:
    query = "SELECT v.name, d.fields FROM clustermgr_drift d JOIN clustermgr_vm v ON v.id = d.vm_id"
    return {row["name"]: row["fields"] for row in rows(console.stack, query)}


def node_of(lab: KvmLab, console: Console, name: str) -> int:
    owner = Move(console.stack, name, "", 0).subject["node"]
    return 1 + [node.name for node in lab.nodes].index(owner)


def test_what_virsh_changed_shows_as_drift_and_is_accepted(console: Console, page: Any, lab: KvmLab) -> None:
    """Memory, a description, and something that only libvirt understands."""
    edits = {
        "batch01": ("setmem", "batch01", "12M", "--config"),
        "dns01": ("desc", "dns01", "--config", "--new-desc", "changed with virsh"),
        "test01": ("setmaxmem", "test01", "64M", "--config"),
    }
    assert drifted(console) == {}, "moves and other orders of our own make no drift"
    for name, edit in edits.items():
        lab.virsh(node_of(lab, console, name), *edit)
    console.stack.wait(lambda: drifted(console).keys() == edits.keys(), SWEEP_S, "the drift to be seen")
    found = drifted(console)
    assert [
        '"memory_mib"' in found["batch01"],
        '"notes"' in found["dns01"],
        '"other"' in found["test01"],
    ] == [True] * 3
    console.sign_in(page, "operator")
    for name in edits:
        page.goto(f"{console.url}/roles/{console.column(name, 'id')}/refresh/")
        page.click("text=Accept all from host")
        page.wait_for_selector(f"text=Accepted into the cluster's copy of {name}")
    assert drifted(console) == {}
    assert console.column("batch01", "memory_mib") == 12
    assert console.column("dns01", "notes") == "changed with virsh"
