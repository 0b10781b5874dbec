"""Adding a host by pages: form, test, host key, result; another way in; evicting; making a cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from clustermgr.actions import candidates
from clustermgr.core.readings import Facts, Probed
from clustermgr.models import Candidate, Cluster, Node, NodeAccess
from clustermgr.secrets import unseal
from tests import worlds
from tests.actions.test_key_material import KEY
from tests.web.asks import DIALOG, REGION, source_of, text_of

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "qemu+ssh://root@hv-09.example/system"
KEYS = ("ssh-ed25519 AAAAC3Nz",)
PRINT = "SHA256:aR5vv7GWTQFZPb8C8fzSCMkmK4xSoxT5dPn+9RTgx30"


@pytest.fixture
def ana(transactional_db: None, as_: Any) -> Client:
    return as_("administrator")


@pytest.fixture
def world(transactional_db: None) -> SimpleNamespace:
    return SimpleNamespace(**vars(worlds.usual()), url="/c/c1/nodes/")


def facts(uuid: str = "0b0e") -> Facts:
    return Facts(0, uuid, "QEMU 7.2", False, 8, 16384, "EPYC", (), (), ())


def answer(row: Candidate, **seen: Any) -> None:
    """What a job would record."""
    candidates.record(row.pk, row.round, Probed(**seen))
    row.refresh_from_db()


def begin(ana: Client, world: SimpleNamespace, **fields: Any) -> Any:
    given = {"address": ADDRESS, "sign_in": "ssh_key", "ssh_key": KEY, **fields}
    return ana.post(f"{world.url}add/", given)


def newest() -> Candidate:
    return Candidate.objects.latest("pk")


def test_a_host_goes_the_whole_way_to_a_node(ana: Client, world: SimpleNamespace) -> None:
    page = begin(ana, world)["Location"]
    assert "Testing the connection" in text_of(ana.get(page))
    answer(newest(), host_keys=KEYS)
    assert PRINT in text_of(ana.get(page))
    ana.post(f"{page}key/", {"fingerprint": PRINT})
    answer(newest(), host_keys=KEYS, facts=facts(), shown={"memory_mib": 16384, "vms": 3}, usable=True)
    assert "3 virtual machines were found there. Each becomes a role of C1" in text_of(ana.get(page))
    done = ana.post(f"{page}use/", follow=True)
    assert "hv-09 was added." in text_of(done)
    assert PRINT in text_of(done)
    assert unseal(NodeAccess.objects.get().credentials).count("PRIVATE KEY") == 2


def test_the_test_is_followed_without_a_socket(ana: Client, world: SimpleNamespace) -> None:
    page = begin(ana, world)["Location"]
    part = source_of(ana.get(f"{page}?region=trial", headers=REGION))
    assert 'data-every="1"' in part
    assert "<html" not in part
    answer(newest(), findings=({"level": "error", "what": "It is silent.", "advice": "Wake it."},))
    part = source_of(ana.get(f"{page}?region=trial", headers=REGION))
    assert "data-every" not in part
    assert "It is silent." in part
    assert "Wake it." in part


def test_a_file_counts_before_a_text(ana: Client, world: SimpleNamespace) -> None:
    file = SimpleUploadedFile("id_ed25519", KEY.encode())
    begin(ana, world, ssh_key="nothing", ssh_key_file=file)
    assert KEY.splitlines()[1] in unseal(newest().credentials).replace("\\n", "\n")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"address": "hv-09"}, "An address begins with qemu+ssh://"),
        ({"address": "qemu+tcp://hv-09/system", "sign_in": "own"}, "Say that you know"),
        ({"ssh_key": "hello"}, "is not a private key"),
        ({"name": "a b"}, "A node's name has 1 to 60"),
        ({"host_key": "MD5:xx"}, "A fingerprint looks like SHA256:"),
        ({"migration_address": "there"}, "An address begins with"),
        ({"ssh_key_file": SimpleUploadedFile("x", b"\xff\xfe\x00")}, "is not a private key"),
        ({"sign_in": "ssh_file", "ssh_key_file": "key"}, "Give a whole path"),
    ],
)
def test_a_mistake_keeps_what_was_typed_but_no_key(
    ana: Client, world: SimpleNamespace, fields: dict[str, Any], words: str
) -> None:
    page = begin(ana, world, **fields)
    assert (page.status_code, words in text_of(page)) == (422, True)
    assert fields.get("address", ADDRESS) in source_of(page)
    assert KEY.splitlines()[1] not in source_of(page)
    assert Candidate.objects.count() == 1


def test_the_form_sent_twice_is_one_test(ana: Client, world: SimpleNamespace) -> None:
    first, again = (begin(ana, world, key="k")["Location"] for _ in range(2))
    assert (first == again, Candidate.objects.count()) == (True, 2)


@pytest.mark.parametrize(
    "other", [{"address": "qemu+ssh://root@hv-10.example/system"}, {"ssh_key": KEY + KEY}]
)
def test_another_form_under_its_key_tests_nothing(
    ana: Client, world: SimpleNamespace, other: dict[str, Any]
) -> None:
    begin(ana, world, key="k")
    page = begin(ana, world, key="k", **other)
    assert (page.status_code, "sent before with another order" in text_of(page)) == (409, True)
    assert Candidate.objects.count() == 2


def test_going_back_keeps_input_and_key(ana: Client, world: SimpleNamespace) -> None:
    begin(ana, world)
    row = newest()
    form = source_of(ana.get(f"{world.url}add/?from={row.pk}"))
    assert ADDRESS in form
    assert "uploaded ssh key" in form
    ana.post(f"{world.url}add/?from={row.pk}", {"address": ADDRESS, "name": "other", "sign_in": "keep"})
    assert (newest().name, newest().credentials) == ("other", row.credentials)


def test_another_way_in_goes_through_the_same_steps(ana: Client, world: SimpleNamespace) -> None:
    Node.objects.filter(pk=world.one.pk).update(address=ADDRESS, driver="libvirt", host_uuid="0b0e")
    page = ana.post(
        f"{world.url}{world.one.pk}/access/", {"address": ADDRESS, "sign_in": "ssh_key", "ssh_key": KEY}
    )
    answer(newest(), facts=facts(), shown={"memory_mib": 1}, usable=True)
    done = ana.post(f"{page['Location']}use/", follow=True)
    assert "hv-01 is reached at" in text_of(done)
    assert NodeAccess.objects.get().means == "uploaded ssh key"


def test_a_test_that_was_used_leads_to_its_node(ana: Client, world: SimpleNamespace) -> None:
    address = f"{world.url}tests/{world.test.pk}/"
    ana.post(f"{address}use/")
    node = Node.objects.get(name="hv-09")
    assert ana.get(address)["Location"] == f"{world.url}{node.pk}/"
    assert ana.post(f"{address}use/")["Location"] == f"{world.url}{node.pk}/"


def test_evicting_says_what_is_in_the_way_and_wants_the_name(ana: Client, world: SimpleNamespace) -> None:
    assert "hv-01 owns busy01, off01, web01." in text_of(ana.get(f"{world.url}{world.one.pk}/evict/"))
    free = worlds.node(world.c1, "hv-03")
    address = f"{world.url}{free.pk}/evict/"
    wrong = ana.post(address, {"typed": "hv-3"}, headers=DIALOG)
    assert (wrong.status_code, "Type the node's name, hv-03" in text_of(wrong)) == (422, True)
    done = ana.post(address, {"typed": "hv-03"}, headers=DIALOG)
    assert (done.status_code, done["HX-Redirect"]) == (204, world.url)
    assert "hv-03 was evicted. Its host was left as it is." in text_of(ana.get(world.url))


def test_a_cluster_is_made_and_wants_nodes(ana: Client, world: SimpleNamespace) -> None:
    assert "New cluster…" in text_of(ana.get("/?all=1"))
    wrong = ana.post("/clusters/new/", {"name": "c1"})
    assert (wrong.status_code, "There is a cluster called “c1” already" in text_of(wrong)) == (422, True)
    done = ana.post("/clusters/new/", {"name": "Branch 2", "key": "k"}, follow=True)
    assert "No nodes yet." in text_of(done)
    assert "Add node…" in text_of(done)
    ana.post("/clusters/new/", {"name": "Branch 2", "key": "k"})
    assert list(Cluster.objects.values_list("slug", flat=True)) == ["branch-2", "c1"]


def test_nobody_but_an_administrator_is_offered_it(as_: Any, world: SimpleNamespace) -> None:
    oli = as_("operator")
    for address in (world.url, f"{world.url}{world.one.pk}/", "/?all=1"):
        page = text_of(oli.get(address))
        assert not [word for word in ("Add node…", "Evict…", "New cluster…") if word in page]
