"""clusterctl node …, operation …, event …, cluster … and token …"""

from __future__ import annotations

from typing import Any

from clustermgr.cli import show
from clustermgr.cli.client import path
from clustermgr.cli.session import Session
from clustermgr.cli.table import LIMIT, NODE, NUMBER, YES, Verb, count, option
from clustermgr.core.states import OperationKind, OperationState

NODES = {
    "name": "NAME",
    "state": "STATE",
    "paused": "PAUSED",
    "roles": "VMS",
    "cpus": "CPUS",
    "cpu_percent": "CPU",
    "memory_mib": "MEMORY",
    "memory_used_mib": "USED",
    "hypervisor": "HYPERVISOR",
    "simulated": "SIMULATED",
}
NODE_MORE = {
    "state_reason": "BECAUSE",
    "address": "ADDRESS",
    "networks": "NETWORKS",
    "capabilities": "CAN",
    "vms": "ITS VMS",
}
OPERATIONS = {
    "id": "ID",
    "kind": "KIND",
    "vm_name": "VM",
    "source": "FROM",
    "target": "TO",
    "state": "STATE",
    "percent": "DONE",
    "requested_by": "BY",
    "created_at": "ORDERED",
}
OPERATION_MORE = {
    "phase": "PHASE",
    "wait_reason": "WAITS FOR",
    "finished_at": "ENDED",
    "outcome": "OUTCOME",
    "advice": "ADVICE",
    "raw_reason": "HOST SAYS",
}
EVENTS = {"id": "ID", "at": "TIME", "level": "LEVEL", "sentence": "WHAT"}
CLUSTER = {
    "name": "Name",
    "health": "Health",
    "nodes": "Nodes",
    "vms": "VMs",
    "live_migrations_per_node": "Live migrations per node",
    "migration_bandwidth_mib_s": "MB a second each, at most",
    "allow_unsafe_migration": "Plain shared directories",
}
CLUSTERS = {
    "slug": "CLUSTER",
    "name": "NAME",
    "node_count": "NODES",
    "up_count": "UP",
    "vm_count": "VMS",
    "failed_count": "FAILED",
}
VOLUMES = {
    "name": "NAME",
    "kind": "KIND",
    "declared": "DECLARED",
    "owner": "OWNER",
    "used_bytes": "USED",
    "capacity_bytes": "OF",
    "nodes": "NODES",
}
NETWORKS = {"name": "NAME", "use": "USE", "nodes": "NODES"}
AUDIT = {
    "at": "TIME",
    "username": "WHO",
    "origin": "FROM",
    "verb": "ORDER",
    "subject": "SUBJECT",
    "accepted": "ACCEPTED",
    "answer": "ANSWER",
}
TOKENS = {
    "id": "ID",
    "name": "NAME",
    "account": "ACCOUNT",
    "role": "ROLE",
    "state": "STATE",
    "expires_at": "EXPIRES",
    "last_used_at": "LAST USED",
}


def node_list(call: Session) -> None:
    found = call.get("nodes")
    show.as_json(found) if call.args.json else show.table(found, NODES)


def node_show(call: Session) -> None:
    found = call.get("nodes", call.args.node)
    show.as_json(found) if call.args.json else show.pairs(found, NODES | NODE_MORE)


def operation_list(call: Session) -> None:
    args = call.args
    rows = call.all("operations", q=args.vm, state=args.state, kind=args.kind, mine=args.mine)
    show.as_json(rows) if args.json else show.table(rows, OPERATIONS)


def operation_show(call: Session) -> None:
    found = call.get("operations", call.args.id)
    show.as_json(found) if call.args.json else show.pairs(found, OPERATIONS | OPERATION_MORE)


def operation_wait(call: Session) -> int:
    return call.wait(call.operation(call.args.id))


def operation_cancel(call: Session) -> int:
    found = call.client.order("POST", call.here("operations", call.args.id, "cancel"))["operation"]
    if call.args.wait:
        return call.wait(found, good="cancelled")
    call.tell(found, f"Cancelling of {show.what(found)} was requested.")
    return 0


def event_list(call: Session) -> None:
    args = call.args
    rows = call.all("events", q=args.search, level=args.level, node=args.node, vm=args.vm)
    show.as_json(rows) if args.json else show.table(rows, EVENTS)


def event_show(call: Session) -> None:
    found = call.get("events", call.args.id)
    if call.args.json:
        return show.as_json(found)
    show.pairs(found["event"], EVENTS | {"actor": "BY"})
    if found["effects"]:
        print("\nIt led to:")
        show.table(found["effects"], EVENTS)
    return None


def cluster_list(call: Session) -> None:
    found = call.client.get(path("clusters"))
    show.as_json(found) if call.args.json else show.table(found, CLUSTERS)


def cluster_show(call: Session) -> None:
    found = call.get()
    if call.args.json:
        return show.as_json(found)
    show.pairs(found, CLUSTER)
    for row in found["attention"]:
        print(show.plain(f"{row['level']}: {row['text']}. {row['detail']}".strip()))
    return None


def cluster_volumes(call: Session) -> None:
    _matrix(call, "volumes", VOLUMES)


def declare_volume(call: Session) -> None:
    name, kind = call.args.name, call.args.kind
    if kind == "csv":
        call.confirm(f"If the nodes do not share {name}, machines may start from another disk.")
    found = call.client.order("POST", call.here("volumes", name, "declare"), {"kind": kind})
    call.tell(found, show.plain(f"The volume {found['name']} is declared: {found['kind']}."))


def cluster_networks(call: Session) -> None:
    _matrix(call, "networks", NETWORKS)


def _matrix(call: Session, what: str, columns: dict[str, str]) -> None:
    found = call.get(what)
    if call.args.json:
        return show.as_json(found)
    rows = [{**row, "nodes": {cell["node"]: cell["word"] for cell in row["cells"]}} for row in found]
    return show.table(rows, columns)


def cluster_audit(call: Session) -> None:
    rows = call.all("audit", q=call.args.search, refused=call.args.refused)
    show.as_json(rows) if call.args.json else show.table(rows, AUDIT)


def token_list(call: Session) -> None:
    rows: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        found = call.client.get(path("tokens"), offset=offset)
        rows, offset = rows + found["items"], found["next_offset"]
    show.as_json(rows) if call.args.json else show.table(rows, TOKENS)


def token_create(call: Session) -> None:
    body = {"name": call.args.name, "role": call.args.role, "days": call.args.days}
    found = call.client.order("POST", path("tokens"), body)
    call.tell(found, found["secret"])


def token_revoke(call: Session) -> None:
    found = call.client.order("DELETE", path("tokens", call.args.id))
    call.tell(found, f"The token “{show.plain(found['name'])}” is revoked.")


def token_whoami(call: Session) -> None:
    found = call.client.get(path("me"))
    call.tell(found, show.plain(f"{found['account']} ({found['role']}) at {call.client.place.url}"))


SEARCH = option("--search", "a part of what it says", metavar="TEXT")
VERBS = (
    Verb("node", "list", "view", "list nodes", node_list),
    Verb("node", "show", "view", "show one", node_show, (NODE,)),
    Verb("operation", "list", "view", "list operations, the newest first", operation_list, (
        option("--vm", "of virtual machines whose name holds this", names="vm"),
        option("--state", "such as running", choices=list(map(str, OperationState)), metavar="STATE"),
        option("--kind", "such as live_migration", choices=list(map(str, OperationKind)), metavar="KIND"),
        option("--mine", "ordered by me", action="store_true"),
        LIMIT,
    )),
    Verb("operation", "show", "view", "show one", operation_show, (NUMBER,)),
    Verb("operation", "wait", "view", "until it has ended", operation_wait, (NUMBER,)),
    Verb("operation", "cancel", "cancel", "cancel one", operation_cancel, (NUMBER,), waits=True),
    Verb("event", "list", "view", "list events, the newest first", event_list, (
        SEARCH,
        option("--level", "and worse", choices=("info", "warning", "error", "critical")),
        option("--node", "of this node", names="node"),
        option("--vm", "of this virtual machine", names="vm"),
        LIMIT,
    )),
    Verb("event", "show", "view", "show one, with what it led to", event_show, (NUMBER,)),
    Verb("cluster", "list", "view", "list clusters", cluster_list, in_cluster=False),
    Verb("cluster", "show", "view", "counters, and what needs attention", cluster_show),
    Verb("cluster", "volumes", "view", "volumes, and which nodes reach them", cluster_volumes),
    Verb("cluster", "declare-volume", "declare_volume", "say whether its nodes share it", declare_volume, (
        option("name", "name or id"),
        option("--kind", "csv: every node at once; disk: one", choices=("csv", "disk"), required=True),
        YES,
    )),
    Verb("cluster", "networks", "view", "networks, and which nodes carry them", cluster_networks),
    Verb("cluster", "audit", "view_audit", "who ordered what", cluster_audit, (
        SEARCH,
        option("--refused", "what was refused", action="store_true"),
        LIMIT,
    )),
    Verb("token", "list", "own_tokens", "list tokens (an administrator: all)", token_list, in_cluster=False),
    Verb("token", "create", "own_tokens", "make one; its secret is printed this once", token_create, (
        option("name", "what will use it"),
        option("--role", "at most yours", choices=("viewer", "operator", "administrator"), default="viewer"),
        option("--days", "how long it is good", type=count, default=90, metavar="N"),
    ), in_cluster=False),
    Verb("token", "revoke", "own_tokens", "end one now", token_revoke, (NUMBER,), in_cluster=False),
    Verb("token", "whoami", "own_tokens", "whose token this is", token_whoami, in_cluster=False),
)  # fmt: skip
