"""A host becomes a node: tested, added once, read whole by the watch; another way in; old tests forgotten."""

from __future__ import annotations

import pytest

from clustermgr.actions import candidates, nodes
from clustermgr.celery import app
from clustermgr.core.states import CandidateState, NodeState, VmState
from clustermgr.drivers import registry
from clustermgr.drivers.contract import Probe, Refused
from clustermgr.errors import ActionRefused
from clustermgr.jobs import hosts
from clustermgr.jobs.beat import SCHEDULE
from clustermgr.jobs.candidates import probe
from clustermgr.models import AuditEntry, Candidate, Event, Node, NodeAccess
from tests.jobs.conftest import Stage
from tests.jobs.hosts import asked, tried
from tests.jobs.test_watch import Watch

KEYS = ("ssh-rsa AAAAB3Nz", "ssh-ed25519 AAAAC3Nz")
PRINT = "SHA256:aR5vv7GWTQFZPb8C8fzSCMkmK4xSoxT5dPn+9RTgx30"


@pytest.fixture
def n4(stage: Stage) -> Stage:
    """A fourth host, of no cluster, on which one VM runs."""
    stage.world.node("n4")
    stage.world.vm("new", on="n4")
    return stage


def test_a_tested_host_becomes_a_node_with_its_vms(n4: Stage) -> None:
    row = tried(n4, "lab:n4", name="hv-04")
    assert (row.state, row.facts["vms"]) == (CandidateState.READY, 1)
    node = nodes.add(actor=n4.actor, candidate=row)
    assert (node.state, node.host_uuid) == (NodeState.JOINING, row.host_uuid)
    Watch(n4).seconds(5)
    node.refresh_from_db()
    assert node.state == NodeState.UP
    assert n4.vm("new").owner == node


def test_a_worker_knows_every_task_of_the_schedule() -> None:
    app.loader.import_default_modules()
    assert {task for task, _, _ in SCHEDULE} | {candidates.TEST} <= set(app.tasks)


def test_adding_twice_is_one_node(n4: Stage) -> None:
    row = tried(n4, "lab:n4")
    first, again = (nodes.add(actor=n4.actor, candidate=row) for _ in range(2))
    assert first == again
    assert (row.cluster.nodes.filter(name="n4").count(), first.name) == (1, "n4")
    assert Event.objects.filter(code="node_added", node=first).count() == 1


def test_two_administrators_test_the_same_host_and_one_adds_it(n4: Stage) -> None:
    one, two = tried(n4, "lab:n4", name="a"), tried(n4, "lab:n4", name="b")
    nodes.add(actor=n4.actor, candidate=one)
    with pytest.raises(ActionRefused, match="already the node a of Test"):
        nodes.add(actor=n4.actor, candidate=two)
    assert AuditEntry.objects.filter(verb="add_node", accepted=False, subject="b").exists()


def test_the_same_host_under_another_address_is_refused(n4: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    same = registry.probe("lab", "lab:n1")
    monkeypatch.setattr(registry, "probe", lambda *_, **__: same)
    row = tried(n4, "lab:n4")
    assert row.state == CandidateState.REFUSED
    assert "is already the node n1 of Test (there it is lab:n1)" in row.findings[-1]["what"]


def test_a_silent_host_says_why(n4: Stage) -> None:
    n4.faults.power_off("n4")
    row = tried(n4, "lab:n4")
    assert (row.state, row.findings[0]["level"]) == (CandidateState.REFUSED, "error")
    with pytest.raises(ActionRefused, match="not ready to be added"):
        nodes.add(actor=n4.actor, candidate=row)


class Ssh:
    """A host that shows its keys until one is pinned, and then signs in."""

    def __init__(self) -> None:
        self.facts = registry.probe("lab", "lab:n4").facts
        self.pinned: list[str] = []

    def __call__(self, driver: str, address: str, **given: object) -> Probe:
        key = given["credentials"].host_key  # type: ignore[attr-defined]
        self.pinned.append(key)
        return Probe(host_keys=KEYS, facts=self.facts if key else None).found("ok", "It answers.")


@pytest.fixture
def ssh(n4: Stage, monkeypatch: pytest.MonkeyPatch) -> Ssh:
    host = Ssh()
    monkeypatch.setattr(registry, "probe", host)
    return host


ADDRESS = "qemu+ssh://root@n4.example/system"


def test_a_host_key_is_shown_confirmed_and_pinned(n4: Stage, ssh: Ssh) -> None:
    row = tried(n4, ADDRESS)
    assert (row.state, row.offered[0]) == (CandidateState.KEY_TO_CONFIRM, KEYS[1])
    candidates.confirm_host_key(actor=n4.actor, candidate=row, fingerprint=PRINT)
    n4.run()
    row.refresh_from_db()
    node = nodes.add(actor=n4.actor, candidate=row)
    assert ssh.pinned == ["", KEYS[1]]
    assert (node.name, node.access.host_key) == ("n4", KEYS[1])


def test_a_key_that_was_not_shown_is_not_confirmed(n4: Stage, ssh: Ssh) -> None:
    row = tried(n4, ADDRESS)
    with pytest.raises(ActionRefused, match="does not show the host key SHA256:xx"):
        candidates.confirm_host_key(actor=n4.actor, candidate=row, fingerprint="SHA256:xx")
    assert ssh.pinned == [""]


@pytest.mark.parametrize(
    ("expected", "state"), [(PRINT, "ready"), ("any", "ready"), ("SHA256:" + "x" * 43, "refused")]
)
def test_a_key_known_beforehand_is_compared_without_asking(
    n4: Stage, ssh: Ssh, expected: str, state: str
) -> None:
    assert tried(n4, ADDRESS, expected=expected).state == state


def test_another_way_in_is_taken_over_and_the_watch_signs_in_anew(n4: Stage) -> None:
    watch = Watch(n4)
    watch.seconds(2)
    before = watch.watcher.eyes[n4.node("n1").pk]
    row = tried(n4, "lab:n1", node=n4.node("n1"))
    Candidate.objects.filter(pk=row.pk).update(credentials=candidates.keys.sealed({"ssh_key": "text"}))
    nodes.change_access(actor=n4.actor, node=n4.node("n1"), candidate=row)
    watch.seconds(2)
    assert watch.watcher.eyes[n4.node("n1").pk] is not before
    assert n4.node("n1").state == NodeState.UP
    assert Event.objects.filter(code="access_changed").exists()


def test_another_host_is_not_taken_for_the_node(n4: Stage) -> None:
    row = tried(n4, "lab:n4", node=n4.node("n1"))
    assert row.state == CandidateState.REFUSED
    assert "than the one that is n1" in row.findings[-1]["what"]


def test_a_test_of_one_node_is_not_used_for_another_or_as_a_new_one(n4: Stage) -> None:
    row = tried(n4, "lab:n1", node=n4.node("n1"))
    with pytest.raises(ActionRefused, match="made for the node n1"):
        nodes.change_access(actor=n4.actor, node=n4.node("n2"), candidate=row)
    with pytest.raises(ActionRefused, match="made for the node n1"):
        nodes.add(actor=n4.actor, candidate=row)


def test_a_lost_message_is_sent_again_and_an_old_test_is_forgotten(n4: Stage) -> None:
    row = asked(n4, "lab:n4")
    n4.runner.enqueued.clear()
    candidates.keep()
    assert n4.runner.names == []
    n4.clock.advance(50)
    candidates.keep()
    n4.run()
    row.refresh_from_db()
    assert row.state == CandidateState.READY
    n4.clock.advance(3600)
    candidates.keep()
    assert not Candidate.objects.exists()


def test_the_late_answer_of_an_earlier_round_changes_nothing(n4: Stage, ssh: Ssh) -> None:
    row = tried(n4, ADDRESS)
    candidates.confirm_host_key(actor=n4.actor, candidate=row, fingerprint=PRINT)
    probe(row.pk, 1)
    row.refresh_from_db()
    assert (row.state, row.round) == (CandidateState.TESTING, 2)


def test_a_test_that_breaks_is_an_answer_too(n4: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Probe:
        raise RuntimeError("boom")

    monkeypatch.setattr(registry, "probe", broken)
    row = tried(n4, "lab:n4")
    assert (row.state, row.findings[0]["what"]) == (
        "refused",
        "The test met an error of the console's own; its log has the details.",
    )


def test_a_host_that_lets_nobody_in_is_there_and_says_why(n4: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(n4)
    watch.seconds(2)

    def closed(*_: object, **__: object) -> None:
        raise Refused("The host does not accept the key.")

    monkeypatch.setattr(registry, "connect", closed)
    watch.watcher.eyes[n4.node("n1").pk]._close()
    watch.seconds(14)
    node = n4.node("n1")
    assert (node.state, node.state_reason) == (NodeState.AGENT_DOWN, "The host does not accept the key.")
    assert n4.vm("web").state == VmState.UNMONITORED
    assert Event.objects.get(code="node_agent_down").params["reason"] == node.state_reason


def test_a_connection_gets_what_was_sealed(n4: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    real = registry.connect

    def connect(*where: str, **given: object) -> object:
        seen.update(given)
        return real(*where, **given)

    monkeypatch.setattr(registry, "connect", connect)
    sealed = candidates.keys.sealed({"ssh_key": "text"})
    node = n4.node("n1")
    NodeAccess.objects.create(
        node=node, credentials=sealed, host_key=KEYS[1], changed_at=n4.clock.now(), changed_by="ana"
    )
    hosts.connect_to(Node.objects.get(pk=node.pk))
    given = seen["credentials"]
    assert (given.ssh_key, given.host_key) == ("text", KEYS[1])
    assert "text" not in repr((given, hosts.way_to(node)))
