"""Making clusters; testing, adding, reaching anew and evicting nodes. Adds to the routes of both."""

from __future__ import annotations

from typing import Annotated, Any

from django.db import close_old_connections, connection
from django.http import HttpRequest
from ninja.responses import Status
from pydantic import Field, StringConstraints

from clustermgr.actions import candidates, clusters, nodes
from clustermgr.actions._key_material import LARGEST, LONGEST_PATH
from clustermgr.actions.candidates import Wish
from clustermgr.actions.repeats import Kept
from clustermgr.api.auth import actor, needs
from clustermgr.api.clusters import router as cluster_router
from clustermgr.api.clusters import show_cluster
from clustermgr.api.nodes import router, show_node
from clustermgr.api.repeats import once
from clustermgr.api.shapes import ClusterDetail, Evicted, NodeDetail, NodeTest, or_problem
from clustermgr.api.values import NO_CONTROLS, Body, Id, Number, Ref
from clustermgr.core.addresses import LONGEST
from clustermgr.ports import clock
from clustermgr.queries import find, hosts

LOOK_EVERY_S = 0.5
#: More than a key has, so that the rule and the fix are told by the order itself.
Secret = Annotated[str, StringConstraints(max_length=2 * LARGEST)]
Path = Annotated[str, StringConstraints(max_length=2 * LONGEST_PATH, pattern=NO_CONTROLS)]
Address = Annotated[str, StringConstraints(max_length=2 * LONGEST, pattern=NO_CONTROLS)]


class ClusterOrder(Body):
    name: str = Field(min_length=1, max_length=100, pattern=NO_CONTROLS)


class Access(Body):
    """How to sign in. Texts are encrypted at rest and never sent again; paths are those of the workers'
    machines. Nothing: with what the workers' own account has. `host_key`: the fingerprint that the host is
    known to have, or “any” to take the first one shown, unseen."""

    address: Address
    migration_address: Address = ""
    ssh_key: Secret = ""
    ssh_key_file: Path = ""
    tls_ca: Secret = ""
    tls_cert: Secret = ""
    tls_key: Secret = ""
    tls_folder: Path = ""
    host_key: str = Field(default="", max_length=100, pattern=NO_CONTROLS)
    accept_unprotected: bool = False

    def wish(self, **more: Any) -> Wish:
        secrets = {name: getattr(self, name) for name in candidates.SECRETS}
        return Wish(
            address=self.address,
            migration_address=self.migration_address,
            secrets=secrets,
            expected=self.host_key,
            unprotected=self.accept_unprotected,
            **more,
        )


class HostTest(Access):
    """`name`: of the node to be; left out, the host's short name."""

    name: str = Field(default="", max_length=100, pattern=NO_CONTROLS)


class AccessTest(Access):
    """`keep`: sign in as so far. `address` left out: the one that the node has."""

    address: Address = ""
    keep: bool = False


class KeyOrder(Body):
    fingerprint: str = Field(min_length=1, max_length=100, pattern=NO_CONTROLS)


class TestOrder(Body):
    """`test`: one that is ready."""

    test: Number


class EvictOrder(Body):
    """`name`: the node's, once more."""

    name: str = Field(min_length=1, max_length=100, pattern=NO_CONTROLS)


def _made(request: HttpRequest, kept: Kept, **values: Any) -> Status:
    return Status(201, show_cluster(request, kept.cluster.slug if kept.cluster else ""))


def _begun(request: HttpRequest, kept: Kept, *, cluster: str, **values: Any) -> Status:
    return Status(202, hosts.trial(hosts.candidate(find.cluster(cluster), kept.made or 0)))


def _confirmed(request: HttpRequest, kept: Kept, *, cluster: str, test: int, order: Any) -> Status:
    return Status(202, hosts.trial(hosts.candidate(find.cluster(cluster), test)))


def _added(request: HttpRequest, kept: Kept, *, cluster: str, order: TestOrder) -> Status:
    here = find.cluster(cluster)
    number = kept.made or hosts.candidate(here, order.test).node_id
    return Status(201, show_node(request, cluster, str(number)))


def _changed(request: HttpRequest, kept: Kept, *, cluster: str, node: str, order: Any) -> Any:
    return show_node(request, cluster, node)


def _gone(request: HttpRequest, kept: Kept, *, order: EvictOrder, **values: Any) -> Any:
    return {"name": order.name.strip()}


@cluster_router.post("", response=or_problem(ClusterDetail, 201), **needs("create_cluster"))
@once(_made)
def create_cluster(request: HttpRequest, order: ClusterOrder) -> Any:
    """An empty cluster; add nodes to it."""
    row = clusters.create_cluster(actor=actor(request), name=order.name)
    return Status(201, show_cluster(request, row.slug))


@router.post("/{cluster}/node-tests", response=or_problem(NodeTest, 202), **needs("test_connection"))
@once(_begun)
def begin_test(request: HttpRequest, cluster: Ref, order: HostTest) -> Any:
    """Test a host that is to become a node. Ask for the test with `wait`; it is forgotten after an hour."""
    here = find.cluster(cluster)
    row = candidates.begin(actor=actor(request), cluster=here, wish=order.wish(name=order.name))
    return Status(202, hosts.trial(row))


@router.get("/{cluster}/node-tests/{test}", response=or_problem(NodeTest), **needs("test_connection"))
def show_test(
    request: HttpRequest, cluster: Ref, test: Id, wait: Annotated[int, Field(ge=0, le=30)] = 0
) -> Any:
    """What a test found. `wait`: answer when it has ended, at the latest after so many seconds."""
    here = find.cluster(cluster)
    found = hosts.trial(hosts.candidate(here, test))
    until = clock().monotonic() + wait
    while found.under_way and (left := until - clock().monotonic()) > 0:
        if not connection.in_atomic_block:
            close_old_connections()
        clock().sleep(min(LOOK_EVERY_S, left))
        found = hosts.trial(hosts.candidate(here, test))
    return found


@router.post(
    "/{cluster}/node-tests/{test}/confirm-host-key",
    response=or_problem(NodeTest, 202),
    **needs("test_connection"),
)
@once(_confirmed)
def confirm_host_key(request: HttpRequest, cluster: Ref, test: Id, order: KeyOrder) -> Any:
    """Pin the key of this fingerprint, which you compared on the host itself, and test on."""
    row = hosts.candidate(find.cluster(cluster), test)
    found = candidates.confirm_host_key(actor=actor(request), candidate=row, fingerprint=order.fingerprint)
    return Status(202, hosts.trial(found))


@router.post("/{cluster}/nodes", response=or_problem(NodeDetail, 201), **needs("add_node"))
@once(_added)
def add_node(request: HttpRequest, cluster: Ref, order: TestOrder) -> Any:
    """Make a node of a tested host. The virtual machines found there become roles of the cluster."""
    here = find.cluster(cluster)
    node = nodes.add(actor=actor(request), candidate=hosts.candidate(here, order.test))
    return Status(201, show_node(request, cluster, str(node.pk)))


@router.post(
    "/{cluster}/nodes/{node}/access-tests", response=or_problem(NodeTest, 202), **needs("change_access")
)
@once(_begun)
def begin_access_test(request: HttpRequest, cluster: Ref, node: Ref, order: AccessTest) -> Any:
    """Test another way in to a node: another address, key or certificate."""
    here = find.cluster(cluster)
    row = find.node(here, node)
    order.address = order.address or row.address
    wish = order.wish(keep=order.keep)
    found = candidates.begin(actor=actor(request), cluster=here, wish=wish, node=row)
    return Status(202, hosts.trial(found))


@router.post("/{cluster}/nodes/{node}/access", response=or_problem(NodeDetail), **needs("change_access"))
@once(_changed)
def change_access(request: HttpRequest, cluster: Ref, node: Ref, order: TestOrder) -> Any:
    """Reach a node from now on in the way that was tested."""
    here = find.cluster(cluster)
    row = find.node(here, node)
    nodes.change_access(actor=actor(request), node=row, candidate=hosts.candidate(here, order.test))
    return show_node(request, cluster, str(row.pk))


@router.post("/{cluster}/nodes/{node}/evict", response=or_problem(Evicted), **needs("evict_node"))
@once(_gone)
def evict_node(request: HttpRequest, cluster: Ref, node: Ref, order: EvictOrder) -> Any:
    """Let a node go that owns, holds and does nothing. Its host is left as it is."""
    here = find.cluster(cluster)
    row = find.node(here, node)
    nodes.evict(actor=actor(request), node=row, typed=order.name)
    return {"name": row.name}
