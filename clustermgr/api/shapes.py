"""Shapes of what goes out. Their fields are those of the rows that `queries` makes, under the same names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema

from clustermgr.core import events


class Finding(Schema):
    code: str
    sentence: str
    field: str
    params: dict[str, Any]


class Problem(Schema):
    """Why nothing was done. `operation`: the one that holds the virtual machine, where there is one."""

    findings: list[Finding]
    operation: int | None


class Operation(Schema):
    """`vm_id`: null when the virtual machine was removed from the cluster since; its name stays."""

    id: int
    cluster: str
    kind: str
    vm_id: int | None
    vm_name: str
    source: str
    target: str
    state: str
    phase: str
    wait_reason: str
    outcome: str
    advice: str
    raw_reason: str
    requested_by: str
    cancel_requested_by: str
    reason: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    percent: float | None
    progress: dict[str, Any]


class Ordered(Schema):
    """`operation`: what carries the order out; null when the change needed nothing of a host."""

    operation: Operation | None


class OperationList(Schema):
    items: list[Operation]
    next_before: int | None


class Vm(Schema):
    """`started_seen`: when it started is not known, it ran already at `started_at`. `pending`: what it still
    runs with of fields whose new value counts at its next start."""

    id: int
    cluster: str
    name: str
    state: str
    state_since: datetime
    state_reason: str
    owner_id: int
    owner: str
    volume: str
    wanted: str
    priority: str
    vcpus: int
    memory_mib: int
    memory_used_mib: int | None
    cpu_percent: float | None
    started_at: datetime | None
    started_seen: bool
    pending: dict[str, Any]
    drifted: bool
    age: str
    seen_at: datetime | None
    operation: Operation | None


class VmList(Schema):
    items: list[Vm]
    total: int
    next_offset: int | None


class VmDetail(Vm):
    uuid: str
    notes: str
    offline_action: str
    preferred: list[str]
    possible: list[str]
    holders: list[str]
    disks: list[dict[str, Any]]
    nics: list[dict[str, Any]]
    saved: bool
    config_version: int


class Verdict(Schema):
    """`verdict`: best, good, possible or no. `seconds`: predicted; null until such a move was made."""

    node: int
    name: str
    verdict: str
    reasons: list[str]
    memory_percent_after: float | None
    cpu_percent_after: float | None
    seconds: float | None


class Drift(Schema):
    """Fields that differ between the cluster's copy, the host's and what runs; none: in step."""

    fingerprint: str
    found_at: datetime | None
    read_at: datetime | None
    fields: list[dict[str, Any]]


class Node(Schema):
    id: int
    cluster: str
    name: str
    state: str
    paused: bool
    state_since: datetime
    state_reason: str
    simulated: bool
    hypervisor: str
    cpus: int
    memory_mib: int
    cpu_percent: float | None
    memory_used_mib: int | None
    roles: int
    running: int
    moving_in: int
    moving_out: int
    age: str
    seen_at: datetime | None


class HostKey(Schema):
    """A public key that a host shows. `fingerprint`: as ssh-keygen -l prints it."""

    kind: str
    fingerprint: str
    line: str


class NodeAccess(Schema):
    """How a node is signed in to; `means` says with what, never the secret itself."""

    transport: str
    means: str
    host_key: HostKey | None
    changed_at: datetime | None
    changed_by: str


class TestFinding(Schema):
    """`level`: error (it cannot be added like this), warning or ok."""

    level: str
    what: str
    advice: str


class NodeTest(Schema):
    """A test of a connection. `state`: testing, key_to_confirm, ready, refused or used. `node`: the one whose
    way in is tested, or that this host became. `facts`: what was seen, with `vms` that would become roles."""

    id: int
    cluster: str
    node: str
    name: str
    address: str
    migration_address: str
    means: str
    state: str
    host_keys: list[HostKey]
    host_key: HostKey | None
    findings: list[TestFinding]
    facts: dict[str, Any]
    asked_by: str
    created_at: datetime


class Evicted(Schema):
    """The node that left."""

    name: str


class NodeDetail(Node):
    address: str
    cpu_model: str
    capabilities: list[str]
    networks: list[str]
    slots_used: int
    slots: int
    vms: list[str]
    migration_address: str
    access: NodeAccess


class Cluster(Schema):
    slug: str
    name: str
    node_count: int
    up_count: int
    vm_count: int
    failed_count: int


class Attention(Schema):
    level: str
    text: str
    detail: str
    since: datetime | None


class Capacity(Schema):
    """MiB; `after`: what is left if the largest node fails."""

    committed: int
    total: int
    after: int
    largest: str


class Rival(Schema):
    """Another manager whose stamp was seen; `newer_self`: a newer twin of this installation."""

    manager: str
    epoch: int
    newer_self: bool


class Management(Schema):
    """`managed`: orders are taken. `way_out`: what ends a stand-down: resume, take_over, or nothing."""

    managed: bool
    manager_id: str
    epoch: int
    stood_down_at: datetime | None
    stood_down_reason: str
    stood_down_by: str
    rivals: list[Rival]
    way_out: str


class ClusterDetail(Schema):
    slug: str
    name: str
    health: str
    live_migrations_per_node: int
    migration_bandwidth_mib_s: int
    allow_unsafe_migration: bool
    vms: dict[str, int]
    nodes: dict[str, int]
    attention: list[Attention]
    capacity: Capacity | None
    checked_at: datetime | None


class Cell(Schema):
    node: str
    ok: bool | None
    word: str


class Volume(Schema):
    """`declared`: an administrator said what kind it is; otherwise its hosts did."""

    id: int
    name: str
    kind: str
    declared: bool
    path: str
    file_system: str
    owner: str
    capacity_bytes: int
    used_bytes: int
    roles: int
    cells: list[Cell]


class Network(Schema):
    name: str
    use: str
    cells: list[Cell]


class Event(Schema):
    id: int
    at: datetime
    level: str
    code: str
    sentence: str
    params: dict[str, Any]
    vm_id: int | None
    node_id: int | None
    operation_id: int | None
    cause_id: int | None
    actor: str

    @staticmethod
    def resolve_sentence(row: Any) -> str:
        return events.sentence(row.code, row.params)


class EventList(Schema):
    items: list[Event]
    next_before: int | None


class EventDetail(Schema):
    event: Event
    effects: list[Event]
    around: list[Event]


class AuditEntry(Schema):
    id: int
    at: datetime
    username: str
    origin: str
    verb: str
    subject: str
    params: dict[str, Any]
    accepted: bool
    answer: str
    operation_id: int | None


class AuditList(Schema):
    items: list[AuditEntry]
    next_before: int | None


class Token(Schema):
    """`state`: good, revoked or expired."""

    id: int
    name: str
    account: str
    role: str
    state: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str


class TokenList(Schema):
    items: list[Token]
    next_offset: int | None


class NewToken(Token):
    """`secret` is shown this once; only a digest is kept."""

    secret: str


class Me(Schema):
    """The account behind the token and the role that it has here: the lower of the two."""

    account: str
    role: str


#: What any route may answer besides its own.
REFUSALS = frozenset({400, 401, 403, 404, 409, 413, 422, 423, 429, 503})


def or_problem(shape: Any, status: int = 200) -> dict[Any, Any]:
    """For a route: its own answer, and the one shape of every refusal."""
    return {status: shape, REFUSALS: Problem}
