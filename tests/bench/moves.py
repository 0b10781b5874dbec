"""Real live migrations between real libvirt nodes: ordered here, against virsh, in alternating pairs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import installation
from tests.bench.figures import Figure, interval, median_ratio

PAIRS = 20
QUICK = {"pairs": 1}
MIB_S = 32
CACHE = Path(__file__).resolve().parents[2] / "var" / "kvm-lab" / "cache"
PATIENCE_S = 90


@dataclass(slots=True)
class Pairs:
    """Seconds and milliseconds by libvirt's completed statistics, and seconds as a caller sees them."""

    totals: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "virsh": []})
    pauses: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "virsh": []})
    waits: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "virsh": []})
    errors: list[float] = field(default_factory=list)  # of predictions, in percent


def measure(seed: Path, folder: Path, *, pairs: int = PAIRS) -> Iterator[Figure]:
    from clustermgr.kvmlab import preflight

    lack = preflight.lacks()
    if lack:
        yield Figure("live migration of QEMU, total against virsh", None, "x", 1.05, note=str(lack))
        return
    folder.mkdir(parents=True)
    with lab_of(folder) as lab:
        found = run(lab, folder, pairs)
    ours, virsh = found.totals["ours"], found.totals["virsh"]
    low, high = interval(ours, virsh, of=median_ratio)
    note = f"90 % interval {low:.3f} to {high:.3f}; medians {median(ours):.2f} s and {median(virsh):.2f} s"
    name = "live migration of QEMU"
    yield Figure(f"{name}, total against virsh", median_ratio(ours, virsh), "x", 1.05, note=note)
    ours, virsh = found.pauses["ours"], found.pauses["virsh"]
    low, high = interval(ours, virsh, of=median_ratio)
    note = f"90 % interval {low:.2f} to {high:.2f}; medians {median(ours):.0f} ms and {median(virsh):.0f} ms"
    yield Figure(f"{name}, pause against virsh", median_ratio(ours, virsh), "x", note=note)
    ours, virsh = found.waits["ours"], found.waits["virsh"]
    note = f"from the order to its end; medians {median(ours):.2f} s and {median(virsh):.2f} s"
    yield Figure(f"{name}, order to end against virsh", median_ratio(ours, virsh), "x", note=note)
    if found.errors:
        note = f"{len(found.errors)} moves of one guest, by the cluster's earlier ones"
        yield Figure("predicted duration of a move, median error", median(found.errors), "%", 15, note=note)


@contextmanager
def lab_of(folder: Path) -> Iterator[Any]:
    """Three nodes, for as long as this takes."""
    from clustermgr.kvmlab import lab
    from clustermgr.kvmlab.layout import Layout, short_enough
    from tests.kvm import KvmLab

    layout = Layout(short_enough(folder / "lab"), CACHE)
    try:
        lab.up(layout)
        yield KvmLab(layout)
    finally:
        lab.down(layout)


def run(lab: Any, folder: Path, pairs: int) -> Pairs:
    installation.settings_of(folder)
    from django.core.management import call_command

    from clustermgr import ports
    from clustermgr.models import Cluster
    from tests.fakes import RecordingRunner

    ports.install(runner=RecordingRunner())  # this process is the worker
    call_command("migrate", interactive=False, verbosity=0)
    call_command("import_cluster", str(lab.layout.description), verbosity=0)
    Cluster.objects.update(migration_bandwidth_mib_s=MIB_S)
    found = Pairs()
    for number in range(-1, pairs):
        # Each way of moving goes as often from the first node as from the second.
        for who in ("ours", "virsh") if number % 2 else ("virsh", "ours"):
            one_move(lab, who, found if number >= 0 else Pairs())
    return found


def one_move(lab: Any, who: str, found: Pairs) -> None:
    from clustermgr.drivers import registry
    from clustermgr.models import Node
    from clustermgr.queries.verdicts import predicted_seconds

    vm = guest()
    nodes = list(Node.objects.order_by("name")[:2])
    source, target = (nodes[0], nodes[1]) if vm.owner_id == nodes[0].pk else (nodes[1], nodes[0])
    expected = predicted_seconds(vm, "live_migration") if who == "ours" else None
    began = time.monotonic()
    (ordered if who == "ours" else by_virsh)(lab, vm, source, target)
    took = time.monotonic() - began
    host = registry.connect(target.driver, target.address, deadline=10)
    try:
        totals = host.totals(vm.uuid)
    finally:
        host.close()
    assert totals is not None
    found.totals[who].append(totals.elapsed_s)
    found.pauses[who].append(totals.downtime_ms)
    found.waits[who].append(took)
    if expected:
        found.errors.append(100 * abs(expected - took) / took)


def guest() -> Any:
    """A Linux guest where there is one, else the one that counts."""
    from clustermgr.models import Vm

    rows = Vm.objects.select_related("cluster", "owner", "volume").filter(state="running")
    return rows.filter(name="web01").first() or rows.get(name="counter")


def ordered(lab: Any, vm: Any, source: Any, target: Any) -> None:
    """By an action and the steps of a worker, which is this process."""
    from clustermgr.access import CLUSTER
    from clustermgr.actions import leases, operations, vms
    from clustermgr.jobs.operations import one_step
    from clustermgr.jobs.work import Work

    operation = vms.live_migrate(actor=CLUSTER, vm=vm, target=target)
    operations.admit_waiting(vm.cluster)
    assert leases.claim(operation.pk, "bench")
    work, until = Work(operation.pk, "bench"), time.monotonic() + PATIENCE_S
    while (pause := one_step(work)) is not None:
        assert time.monotonic() < until, work.operation.wait_reason
        time.sleep(pause)
    work.close()
    operation.refresh_from_db()
    assert operation.state == "succeeded", operation.outcome


def by_virsh(lab: Any, vm: Any, source: Any, target: Any) -> None:
    """The same on the hosts, behind the manager's back; then its rows are told."""
    from clustermgr.models import Holder, Vm

    flags = ["--p2p", "--live", "--persistent", "--undefinesource", "--unsafe", "--bandwidth", str(MIB_S)]
    words = ["virsh", "-q", "-c", source.address, "migrate", *flags, vm.name, target.migration_address]
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE_S)
    Vm.objects.filter(pk=vm.pk).update(owner=target)
    Holder.objects.filter(vm=vm).update(node=target)
