"""Hosts tested, added, reached anew and evicted by programs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clustermgr.actions import candidates
from clustermgr.core.readings import Facts, Probed
from clustermgr.models import Candidate, Node
from tests import worlds
from tests.actions.test_key_material import KEY
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "qemu+ssh://root@hv-09.example/system"
LINE = "ssh-ed25519 AAAAC3Nz"
PRINT = "SHA256:aR5vv7GWTQFZPb8C8fzSCMkmK4xSoxT5dPn+9RTgx30"


@pytest.fixture
def world(transactional_db: None) -> SimpleNamespace:
    return worlds.usual()


def answered(number: int, **seen: Any) -> None:
    row = Candidate.objects.get(pk=number)
    candidates.record(row.pk, row.round, Probed(**seen))


def good() -> dict[str, Any]:
    facts = Facts(0, "0b0e", "QEMU 7.2", False, 8, 16384, "EPYC", (), (), ())
    return {"facts": facts, "shown": {"vms": 3}, "usable": True}


def test_a_host_goes_the_whole_way_to_a_node(admin: Caller, world: SimpleNamespace) -> None:
    begun = admin.post("/clusters/c1/node-tests", {"address": ADDRESS, "ssh_key": KEY})
    assert (begun.status_code, begun.body["state"], begun.body["name"]) == (202, "testing", "hv-09")
    here = f"/clusters/c1/node-tests/{begun.body['id']}"
    answered(begun.body["id"], host_keys=(LINE,))
    asked = admin.get(here).body
    assert (asked["state"], asked["host_keys"][0]["fingerprint"]) == ("key_to_confirm", PRINT)
    admin.post(f"{here}/confirm-host-key", {"fingerprint": PRINT})
    answered(begun.body["id"], **good())
    assert admin.get(here).body["facts"] == {"vms": 3}
    made = admin.post("/clusters/c1/nodes", {"test": begun.body["id"]})
    assert (made.status_code, made.body["name"], made.body["state"]) == (201, "hv-09", "joining")
    assert made.body["access"]["host_key"]["fingerprint"] == PRINT
    assert made.body["access"]["means"] == "uploaded ssh key"


def test_a_test_that_was_used_answers_with_its_node(admin: Caller, world: SimpleNamespace) -> None:
    nodes = {admin.post("/clusters/c1/nodes", {"test": world.test.pk}).body["id"] for _ in range(2)}
    assert len(nodes) == 1


def test_another_way_in_keeps_what_is_not_said(admin: Caller, world: SimpleNamespace) -> None:
    Node.objects.filter(pk=world.one.pk).update(address=ADDRESS, driver="libvirt", host_uuid="0b0e")
    begun = admin.post("/clusters/c1/nodes/hv-01/access-tests", {"ssh_key": KEY}).body
    assert (begun["node"], begun["address"]) == ("hv-01", ADDRESS)
    early = admin.post("/clusters/c1/nodes/hv-01/access", {"test": begun["id"]})
    assert (early.status_code, early.body["findings"][0]["code"]) == (409, "test_not_ready")
    answered(begun["id"], **good())
    done = admin.post("/clusters/c1/nodes/hv-01/access", {"test": begun["id"]})
    assert done.body["access"]["means"] == "uploaded ssh key"
    again = admin.post("/clusters/c1/nodes/hv-01/access-tests", {"keep": True}).body
    assert again["means"] == "uploaded ssh key"


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"address": "hv-09"}, "address"),
        ({"address": ADDRESS, "ssh_key": "hello"}, "ssh_key"),
        ({"address": ADDRESS, "tls_ca": "x"}, "tls_ca"),
        ({"address": ADDRESS, "ssh_key": KEY * 100}, "ssh_key"),
        ({"address": ADDRESS, "host_key": "MD5:x"}, "host_key"),
        ({"address": "qemu+tcp://hv-09/system"}, "unprotected"),
        ({"address": ADDRESS, "password": "x"}, "order.password"),
        ({"address": "lab:hv-01"}, "name"),
    ],
)
def test_a_mistake_is_told_by_its_field(
    admin: Caller, world: SimpleNamespace, order: dict[str, str], field: str
) -> None:
    refused = admin.post("/clusters/c1/node-tests", order)
    assert (refused.status_code, refused.body["findings"][0]["field"]) == (422, field)
    assert KEY.splitlines()[1] not in refused.content.decode()


def test_what_is_in_the_way_of_leaving_is_named(admin: Caller, world: SimpleNamespace) -> None:
    refused = admin.post("/clusters/c1/nodes/hv-01/evict", {"name": "hv-01"})
    codes = [found["code"] for found in refused.body["findings"]]
    assert (refused.status_code, codes) == (409, ["node_owns_roles", "node_in_task"])
    wrong = admin.post("/clusters/c1/nodes/hv-02/evict", {"name": "hv-01"})
    assert (wrong.status_code, wrong.body["findings"][0]["field"]) == (422, "typed")


def test_tests_of_another_cluster_do_not_exist_here(admin: Caller, world: SimpleNamespace) -> None:
    worlds.cluster("c2")
    for order in ("nodes", "node-tests/{}/confirm-host-key"):
        body = {"test": world.test.pk} if order == "nodes" else {"fingerprint": "x"}
        assert admin.post(f"/clusters/c2/{order.format(world.test.pk)}", body).status_code == 404
    assert admin.get(f"/clusters/c2/node-tests/{world.test.pk}").status_code == 404
