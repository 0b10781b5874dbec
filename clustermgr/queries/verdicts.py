"""The Move dialog's table: a verdict for every node, with a predicted time."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from clustermgr.core.placement import judge
from clustermgr.core.states import OperationKind, OperationState
from clustermgr.models import Operation, Vm
from clustermgr.queries.snapshot import cluster_view, vm_view

RECENT = 20


@dataclass(frozen=True, slots=True)
class MoveVerdict:
    """One row of the dialog. `seconds` is None until the cluster has made such a move."""

    node: int
    name: str
    verdict: str
    reasons: tuple[str, ...]
    memory_percent_after: float | None
    cpu_percent_after: float | None
    seconds: float | None


def for_move(vm: Vm, kind: str) -> list[MoveVerdict]:
    """Every node of the VM's cluster, the best first; each rejected one with every reason."""
    seconds = predicted_seconds(vm, kind)
    return [
        MoveVerdict(
            node=verdict.node,
            name=verdict.name,
            verdict=verdict.mark,
            reasons=tuple(found.sentence for found in verdict.findings) or (verdict.why,),
            memory_percent_after=verdict.memory_percent_after,
            cpu_percent_after=verdict.cpu_percent_after,
            seconds=seconds if not verdict.findings else None,
        )
        for verdict in judge(vm_view(vm), cluster_view(vm.cluster), OperationKind(kind))
    ]


def predicted_seconds(vm: Vm, kind: str) -> float | None:
    """The median of seconds per MiB of the cluster's last moves of this kind, times this VM's memory."""
    past = Operation.objects.filter(
        cluster_id=vm.cluster_id, kind=kind, state=OperationState.SUCCEEDED, started_at__isnull=False
    ).values_list("started_at", "finished_at", "vm__memory_mib")[:RECENT]
    paces = [(end - start).total_seconds() / mib for start, end, mib in past if end and mib]
    return round(median(paces) * vm.memory_mib, 1) if paces else None
