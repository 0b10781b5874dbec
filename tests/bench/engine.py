"""Decisions about the large cluster: what exists is measured under its own name, what does not is said."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from tests.bench import installation
from tests.bench.figures import Figure

NOT_YET = "not built yet"
QUICK = {"rounds": 1}


def measure(seed: Path, folder: Path, *, rounds: int = 15) -> Iterator[Figure]:
    shutil.copytree(seed, folder)
    installation.settings_of(folder)
    from clustermgr.core.placement import judge
    from clustermgr.core.states import OperationKind
    from clustermgr.models import Cluster, Vm
    from clustermgr.queries.snapshot import cluster_view, vm_view

    cluster = Cluster.objects.get()
    vm = Vm.objects.select_related("volume").filter(cluster=cluster, state="running")[0]
    view = cluster_view(cluster)
    yield Figure("snapshot for placement", took(lambda: cluster_view(cluster), rounds), "ms")
    verdicts = took(lambda: judge(vm_view(vm), view, OperationKind.LIVE_MIGRATION), rounds)
    yield Figure("placement verdicts for one VM", verdicts, "ms", note=f"{len(view.nodes)} nodes")
    yield Figure("full snapshot and decide", None, "ms", 350, note=NOT_YET)
    yield Figure("decide with nothing due", None, "ms", 5, note=NOT_YET)
    yield Figure("drain plan for 125 VMs", None, "ms", 100, note=NOT_YET)


def took(call: Callable[[], object], rounds: int) -> float:
    """The median of processor milliseconds."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        found.append(1000 * (time.process_time() - began))
    return median(found)
