"""Where a VM can go, and every reason why not."""

from __future__ import annotations

from dataclasses import replace

from clustermgr.core.placement import Mark, judge
from clustermgr.core.states import OperationKind
from clustermgr.core.world import ClusterView, NodeView, VmView

LIVE = OperationKind.LIVE_MIGRATION


def node(number: int, **values: object) -> NodeView:
    usual = NodeView(
        id=number,
        name=f"hv-0{number}",
        state="up",
        paused=False,
        cpus=16,
        memory_mib=65536,
        committed_mib=8192 * number,
        cpu_features=frozenset({"avx2"}),
        networks=frozenset({"prod"}),
        volumes=frozenset({1}),
    )
    return replace(usual, **values)


WEB = VmView(1, "web01", 1, "running", 4096, 2, volume=1, volume_name="csv1", networks=frozenset({"prod"}))


def verdicts(vm: VmView, *nodes: NodeView, kind: OperationKind = LIVE) -> dict[str, tuple[Mark, list[str]]]:
    cluster = ClusterView("c", {n.id: n for n in nodes})
    return {v.name: (v.mark, [f.code for f in v.findings]) for v in judge(vm, cluster, kind)}


def test_every_node_is_listed_and_the_emptiest_is_best() -> None:
    found = verdicts(WEB, node(1), node(2), node(3))
    assert found["hv-02"][0] == Mark.BEST
    assert found["hv-03"][0] == Mark.GOOD
    assert found["hv-01"] == (Mark.NO, ["target_is_source"])


def test_a_preferred_owner_is_best_even_when_it_is_fuller() -> None:
    assert verdicts(replace(WEB, preferred=(3,)), node(1), node(2), node(3))["hv-03"][0] == Mark.BEST


def test_a_rejected_node_gives_every_reason() -> None:
    bad = node(2, state="down", volumes=frozenset(), networks=frozenset(), committed_mib=64000)
    codes = ["target_not_up", "volume_not_visible", "no_memory", "network_missing"]
    assert verdicts(WEB, node(1), bad)["hv-02"] == (Mark.NO, codes)


def test_a_paused_node_takes_nothing() -> None:
    assert verdicts(WEB, node(1), node(2, paused=True))["hv-02"][1] == ["target_paused"]


def test_processor_features_matter_only_where_memory_moves_with_the_vm() -> None:
    older = node(2, cpu_features=frozenset())
    assert verdicts(WEB, node(1), older)["hv-02"][1] == ["cpu_features_missing"]
    assert verdicts(WEB, node(1), older, kind=OperationKind.MOVE)["hv-02"][1] == []


def test_a_cluster_disk_keeps_its_vms_together() -> None:
    found = verdicts(replace(WEB, volume_is_disk=True, volume_name="Disk 1"), node(1), node(2))
    assert found["hv-02"][1] == ["cluster_disk"]


def test_a_disk_on_no_known_volume_keeps_its_vm_where_it_is() -> None:
    somewhere = replace(WEB, volume=None, volume_name="", has_disks=True)
    for kind in (LIVE, OperationKind.MOVE, OperationKind.RECOVERY):
        assert verdicts(somewhere, node(1), node(2), kind=kind)["hv-02"][1] == ["volume_unknown"]


def test_a_vm_without_disks_needs_no_volume() -> None:
    assert verdicts(replace(WEB, volume=None, volume_name=""), node(1), node(2))["hv-02"][1] == []


def test_an_off_vm_needs_no_memory() -> None:
    assert verdicts(replace(WEB, state="off"), node(1), node(2, committed_mib=65000))["hv-02"][1] == []
