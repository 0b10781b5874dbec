"""How nodes are reached and hosts under test, as pages and programs are shown them: never a secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clustermgr.core import addresses, host_keys
from clustermgr.core.findings import finding
from clustermgr.core.states import CandidateState
from clustermgr.errors import ActionRefused
from clustermgr.models import Candidate, Cluster, Node, NodeAccess


@dataclass(frozen=True, slots=True)
class HostKey:
    kind: str
    fingerprint: str
    line: str


@dataclass(frozen=True, slots=True)
class Access:
    """The way in to one node. `transport`: ssh, tls, tcp, unix or lab."""

    transport: str
    means: str
    host_key: HostKey | None
    changed_at: datetime | None
    changed_by: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One test of a connection. `state`: testing, key_to_confirm, ready, refused or used."""

    id: int
    cluster: str
    node: str
    node_id: int | None
    name: str
    address: str
    migration_address: str
    transport: str
    means: str
    state: str
    host_keys: list[HostKey]
    host_key: HostKey | None
    findings: list[dict[str, str]]
    facts: dict[str, Any] = field(default_factory=dict)
    asked_by: str = ""
    created_at: datetime | None = None

    @property
    def under_way(self) -> bool:
        return self.state == CandidateState.TESTING


def access(node: Node) -> Access:
    row: NodeAccess | None = getattr(node, "access", None)
    way = transport(node.address)
    if row is None:
        return Access(way, OWN.get(way, "no sign-in"), None, None, "")
    return Access(way, row.means, _key(row.host_key), row.changed_at, row.changed_by)


#: What signs in to a node that was added without anything of its own.
OWN = {"ssh": "the workers' own ssh keys", "tls": "the workers' own TLS certificate"}


def transport(address: str) -> str:
    try:
        return addresses.parse(address, sockets=True).transport
    except addresses.BadAddress:
        return "other"


def candidate(cluster: Cluster, pk: int) -> Candidate:
    """Raises ActionRefused(404)."""
    row = Candidate.objects.select_related("cluster", "node").filter(cluster=cluster, pk=pk).first()
    if row is None:
        raise ActionRefused(finding("unknown_test", test=pk, cluster=cluster.name), status=404)
    return row


def trial(row: Candidate) -> Trial:
    return Trial(
        id=row.pk,
        cluster=row.cluster.slug,
        node=row.node.name if row.node else "",
        node_id=row.node_id,
        name=row.name,
        address=row.address,
        migration_address=row.migration_address,
        transport=transport(row.address),
        means=row.means,
        state=row.state,
        host_keys=[found for found in map(_key, row.offered) if found],
        host_key=_key(row.host_key),
        findings=list(row.findings),
        facts=dict(row.facts),
        asked_by=row.asked_by,
        created_at=row.created_at,
    )


def _key(line: str) -> HostKey | None:
    first = line.strip().splitlines()[0] if line.strip() else ""
    return HostKey(host_keys.kind(first), host_keys.fingerprint(first), first) if first else None
