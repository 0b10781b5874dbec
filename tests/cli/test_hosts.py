"""clusterctl cluster create, node test, add, access and evict, with a host that a stub plays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clustermgr import ports
from clustermgr.actions import nodes as node_actions
from clustermgr.core.states import NodeState
from clustermgr.drivers import registry
from clustermgr.drivers.contract import HostFacts, Probe
from clustermgr.jobs.candidates import probe
from clustermgr.models import Candidate, Cluster, Node
from tests import worlds
from tests.actions.test_key_material import KEY
from tests.fakes import RecordingRunner

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "qemu+ssh://root@hv-09.example/system"
LINE = "ssh-ed25519 AAAAC3Nz"
PRINT = "SHA256:aR5vv7GWTQFZPb8C8fzSCMkmK4xSoxT5dPn+9RTgx30"
FACTS = HostFacts("0b0e", "hv-09", "QEMU 7.2", False, 8, 16384, "EPYC")


class Worker(RecordingRunner):
    """Answers each test at once, in the thread that asked."""

    def enqueue(self, task: str, *args: object, queue: str = "", expires: float | None = None) -> None:
        if task.endswith(".probe"):
            probe(*args)


@pytest.fixture
def host(console: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """hv-09 shows a key until it is pinned. `given`: what it was signed in to with."""
    found = SimpleNamespace(given=[], key=tmp_path / "id", probe=Probe(facts=FACTS, vms=3), **vars(console))
    found.key.write_text(KEY)

    def look(driver: str, address: str, *, credentials: Any, deadline: float) -> Probe:
        found.given.append(credentials)
        return replace(found.probe, host_keys=(LINE,), facts=FACTS if credentials.host_key else None)

    monkeypatch.setattr(registry, "probe", look)
    ports.install(runner=Worker())
    return found


def test_a_cluster_is_made(console: SimpleNamespace, ctl: Any) -> None:
    done = ctl("cluster", "create", "Branch 2")
    assert (done.status, done.out.split(".")[0]) == (0, "The cluster branch-2 was made")
    again = ctl("cluster", "create", "Branch 2")
    assert (again.status, "already" in again.err) == (1, True)
    assert Cluster.objects.count() == 2


def test_a_known_host_key_lets_a_host_in(host: SimpleNamespace, ctl: Any) -> None:
    done = ctl("node", "add", "hv-09", ADDRESS, "--ssh-key", str(host.key), "--host-key", PRINT)
    assert (done.status, done.out) == (0, "hv-09 was added; it is joining. Machines found there: 3.\n")
    assert (host.given[-1].ssh_key, host.given[-1].host_key) == (KEY, LINE)
    assert KEY.splitlines()[1] not in done.out + done.err


def test_an_unknown_host_key_is_told_and_nothing_is_added(host: SimpleNamespace, ctl: Any) -> None:
    done = ctl("node", "add", "hv-09", ADDRESS)
    assert (done.status, Node.objects.filter(name="hv-09").exists()) == (1, False)
    assert f"--host-key {PRINT}" in done.err


def test_taking_a_key_unseen_is_said_loudly(host: SimpleNamespace, ctl: Any) -> None:
    done = ctl("node", "add", "hv-09", ADDRESS, "--accept-new-host-key")
    assert done.status == 0
    assert done.err == f"WARNING: the host key of {ADDRESS} was taken unseen: ED25519 {PRINT}\n"


def test_another_key_than_the_known_one_is_refused(host: SimpleNamespace, ctl: Any) -> None:
    done = ctl("node", "test", ADDRESS, "--host-key", "SHA256:" + "x" * 43)
    assert done.status == 1
    assert f"It shows {PRINT}" in done.out
    assert "cannot be added like this" in done.err


def test_a_test_prints_what_was_found(host: SimpleNamespace, ctl: Any) -> None:
    host.probe = host.probe.found("warning", "No CSV is seen.", "Mount one.")
    done = ctl("node", "test", ADDRESS, "--accept-new-host-key")
    assert done.status == 0
    assert [word in done.out for word in ("No CSV is seen.", "Mount one.", "QEMU 7.2", "16 GB")] == [True] * 4
    found = json.loads(ctl("node", "test", ADDRESS, "--accept-new-host-key", "--json").out)
    assert (found["state"], found["facts"]["vms"]) == ("ready", 3)
    assert Candidate.objects.filter(state="ready").count() == 2


def test_waiting_ends_when_the_node_is_up(host: SimpleNamespace, ctl: Any, monkeypatch: Any) -> None:
    def risen(**given: Any) -> Node:
        node = add(**given)
        Node.objects.filter(pk=node.pk).update(state=NodeState.UP)
        return node

    add = node_actions.add
    monkeypatch.setattr(node_actions, "add", risen)
    done = ctl("node", "add", "hv-09", ADDRESS, "--accept-new-host-key", "--wait")
    assert done.out.startswith("hv-09 was added; it is up.")


def test_another_way_in(host: SimpleNamespace, ctl: Any) -> None:
    Node.objects.filter(name="hv-01").update(address=ADDRESS, driver="libvirt", host_uuid="0b0e")
    done = ctl("node", "access", "hv-01", "--ssh-key", str(host.key), "--accept-new-host-key")
    assert (done.status, done.out) == (0, f"hv-01 is reached at {ADDRESS} from now on.\n")
    assert ctl("node", "access", "hv-01").status == 0
    assert host.given[-1].ssh_key == KEY


def test_a_node_is_evicted_by_its_name(host: SimpleNamespace, ctl: Any) -> None:
    worlds.node(host.c1, "hv-03")
    assert ctl("node", "evict", "hv-03").status == 2
    assert ctl("node", "evict", "hv-03", "--yes").out == "hv-03 was evicted. Its host was left as it is.\n"
    held = ctl("node", "evict", "hv-01", "--yes")
    assert (held.status, "hv-01 owns" in held.err) == (1, True)


def test_words_that_cannot_be_meant(host: SimpleNamespace, ctl: Any, tmp_path: Path) -> None:
    both = ctl("node", "test", ADDRESS, "--host-key", PRINT, "--accept-new-host-key")
    assert both.status == 2
    missing = ctl("node", "test", ADDRESS, "--ssh-key", str(tmp_path / "none"))
    assert (missing.status, "cannot be read: No such file" in missing.err) == (1, True)
