"""Real hosts by address, as a program adds them: by ssh, by TLS; a guest moves between them; one leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clustermgr.core.host_keys import fingerprint
from clustermgr.core.states import NodeState
from clustermgr.jobs import inventory
from clustermgr.kvmlab.layout import migration_address
from clustermgr.models import Cluster, Holder, Node, Operation, Vm
from tests import worlds
from tests.api.conftest import Caller, token_of
from tests.certificates import Authority
from tests.doors import SshDoors, make_key, ssh_doors, tls_door
from tests.fakes import RecordingRunner
from tests.jobs.test_on_kvm import Plant, counts_on
from tests.kvm import KvmLab
from tests.kvm import kvm_lab as kvm_lab

pytestmark = [pytest.mark.qemu, pytest.mark.slow]


@dataclass
class Site:
    """An empty cluster, two real hosts with their doors, and a program that may add them."""

    plant: Plant
    call: Caller
    runner: RecordingRunner
    ssh: SshDoors
    tls: str
    authority: Authority

    def order(self, path: str, body: dict[str, Any], status: int = 202) -> Any:
        answer = self.call.post(f"/clusters/real{path}", body)
        assert answer.status_code == status, answer.body
        return answer.body

    def tested(self, body: dict[str, Any]) -> Any:
        """What a worker found at this address."""
        number = self.order("/node-tests", body)["id"]
        self.runner.drain()
        return self.call.get(f"/clusters/real/node-tests/{number}").body

    def add(self, number: int, address: str, **how: str) -> Node:
        """Tested, added, and read as the watch does."""
        way = {"address": address, "name": f"kvm-0{number}", "migration_address": migration_address(number)}
        found = self.tested({**way, **how})
        assert found["state"] == "ready", found["findings"]
        node = Node.objects.get(pk=self.order("/nodes", {"test": found["id"]}, 201)["id"])
        inventory.take_in(node)
        node.refresh_from_db()
        return node

    def by_ssh(self) -> Node:
        key = fingerprint(self.ssh.host_keys[1][0])
        return self.add(1, self.ssh.address(1), ssh_key=self.ssh.key_file.read_text(), host_key=key)

    def by_tls(self) -> Node:
        certificate, key = self.authority.client()
        return self.add(2, self.tls, tls_ca=self.authority.pem, tls_cert=certificate, tls_key=key)

    def migrate(self, name: str, to: str) -> None:
        before = self.plant.lab.counter()
        ordered = self.order(f"/vms/{name}/live-migrate", {"target": to})
        self.plant.carry(Operation.objects.get(pk=ordered["operation"]["id"]))
        assert counts_on(self.plant, before)
        assert (self.plant.copies(name), self.plant.vm(name).owner.name) == (1, to)


@pytest.fixture
def site(kvm_lab: KvmLab, transactional_db: None, runner: RecordingRunner, tmp_path: Path) -> Iterator[Site]:
    authority = Authority()
    kvm_lab.unmanage()
    kvm_lab.bring("counter", 1)
    with ExitStack() as doors:
        ssh = doors.enter_context(ssh_doors(kvm_lab, tmp_path, (1,)))
        tls = doors.enter_context(tls_door(kvm_lab, tmp_path, 2, authority))
        call = Caller(token_of(worlds.admin()))
        assert call.post("/clusters", {"name": "Real"}).status_code == 201
        # The lab's CSV is a plain directory, which libvirt takes for a local one.
        Cluster.objects.update(allow_unsafe_migration=True, migration_bandwidth_mib_s=40)
        yield Site(Plant(kvm_lab), call, runner, ssh, tls, authority)


def test_a_guest_moves_between_a_host_by_ssh_and_one_by_tls_and_one_leaves(site: Site) -> None:
    one, two = site.by_ssh(), site.by_tls()
    assert {one.state, two.state} == {NodeState.UP}
    assert one.access.means == "uploaded ssh key"
    assert Vm.objects.get(name="counter").owner == one
    site.order("/volumes/csv1/declare", {"kind": "csv"}, 200)
    site.migrate("counter", "kvm-02")
    site.migrate("counter", "kvm-01")
    held = site.order("/nodes/kvm-02/evict", {"name": "kvm-02"}, 409)
    roles = ", ".join(site.plant.lab.names(2))
    assert f"kvm-02 owns {roles}." in held["findings"][0]["sentence"]
    Holder.objects.filter(vm__owner=two).delete()
    Vm.objects.filter(owner=two).delete()
    site.order("/nodes/kvm-02/evict", {"name": "kvm-02"}, 200)
    assert list(Node.objects.all()) == [one]
    assert ", ".join(site.plant.lab.names(2)) == roles


def test_an_unknown_host_key_is_asked_for_and_the_same_host_is_no_second_node(site: Site) -> None:
    way = {"address": site.ssh.address(1), "name": "a", "ssh_key": site.ssh.key_file.read_text()}
    asked = site.tested(way)
    assert asked["state"] == "key_to_confirm"
    shown = {key["line"] for key in asked["host_keys"]}
    assert set(site.ssh.host_keys[1]) <= shown
    print_ = asked["host_keys"][0]["fingerprint"]
    site.order(f"/node-tests/{asked['id']}/confirm-host-key", {"fingerprint": print_})
    site.runner.drain()
    found = site.call.get(f"/clusters/real/node-tests/{asked['id']}").body
    assert (found["state"], found["facts"]["vms"]) == ("ready", len(site.plant.lab.names(1)))
    site.order("/nodes", {"test": found["id"]}, 201)
    other = way["address"].replace("127.0.0.1", "localhost")
    again = site.tested(way | {"name": "b", "address": other, "host_key": print_})
    assert again["state"] == "refused"
    assert "is already the node a of Real" in again["findings"][-1]["what"]


def test_a_key_that_does_not_open_is_told(site: Site, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    key = fingerprint(site.ssh.host_keys[1][0])
    way = {"address": site.ssh.address(1), "name": "a", "host_key": key}
    found = site.tested(way | {"ssh_key": (tmp_path / "other").read_text()})
    assert found["state"] == "refused"
    assert [each["what"] for each in found["findings"] if each["level"] == "error"]
