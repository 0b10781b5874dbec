"""clusterctl node test, add, access and evict, and cluster create: hosts become nodes, and leave."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from clustermgr.cli import show
from clustermgr.cli.client import Refused, path
from clustermgr.cli.session import WAIT_S, Session, WrongWords
from clustermgr.cli.table import NODE, YES, Verb, option
from clustermgr.ports import clock

FINDINGS = {"level": "LEVEL", "what": "WHAT", "advice": "WHAT TO DO"}
FACTS = {
    "hostname": "Host",
    "hypervisor": "Hypervisor",
    "cpus": "Processors",
    "memory_mib": "Memory",
    "vms": "Machines that become roles",
}
FILES = ("ssh_key", "tls_ca", "tls_cert", "tls_key")
LARGEST = 64 * 1024
LOOK_S = 1.0
TEST_AGAIN = "Nothing was added. Test the host again when the console answers."


def test(call: Session) -> int:
    found = _tested(call, "node-tests", body=_body(call) | {"name": call.args.name or ""})
    return _told(call, found)


def add(call: Session) -> int:
    found = _tested(call, "node-tests", body=_body(call) | {"name": call.args.name})
    if found["state"] != "ready":
        return _told(call, found)
    node = call.client.order("POST", call.here("nodes"), {"test": found["id"]})
    if call.args.wait:
        node = _joined(call, node)
    vms = found["facts"].get("vms", 0)
    call.tell(
        node, show.plain(f"{node['name']} was added; it is {node['state']}. Machines found there: {vms}.")
    )
    return 0 if node["state"] in {"joining", "up"} else 1


def access(call: Session) -> int:
    body = _body(call) | {"address": call.args.address or ""}
    body["keep"] = (
        not any(body[name] for name in (*FILES, "ssh_key_file", "tls_folder")) and not call.args.own
    )
    found = _tested(call, "nodes", call.args.node, "access-tests", body=body)
    if found["state"] != "ready":
        return _told(call, found)
    node = call.client.order("POST", call.here("nodes", call.args.node, "access"), {"test": found["id"]})
    call.tell(node, show.plain(f"{node['name']} is reached at {node['address']} from now on."))
    return 0


def evict(call: Session) -> int:
    name = call.get("nodes", call.args.node)["name"]
    typed = call.retyped(name, "evict", f"{name} leaves the cluster; its host is left as it is.")
    found = call.client.order("POST", call.here("nodes", call.args.node, "evict"), {"name": typed})
    call.tell(found, show.plain(f"{name} was evicted. Its host was left as it is."))
    return 0


def create(call: Session) -> int:
    found = call.client.order("POST", path("clusters"), {"name": call.args.name})
    slug = show.plain(found["slug"])
    call.tell(
        found, f"The cluster {slug} was made. Add hosts: clusterctl node add NAME ADDRESS --cluster {slug}"
    )
    return 0


def _body(call: Session) -> dict[str, Any]:
    args = call.args
    if args.host_key and args.accept_new_host_key:
        raise WrongWords("Say --host-key or --accept-new-host-key, not both.")
    body: dict[str, Any] = {name: _read(getattr(args, name)) for name in FILES}
    return body | {
        "address": args.address or "",
        "migration_address": args.migration_address or "",
        "ssh_key_file": args.ssh_key_file or "",
        "tls_folder": args.tls_folder or "",
        "host_key": "any" if args.accept_new_host_key else args.host_key or "",
        "accept_unprotected": args.i_know_tcp_is_unprotected,
    }


def _read(name: str | None) -> str:
    """A file of this machine, which is sent. Its text is never printed."""
    if not name:
        return ""
    try:
        with Path(name).expanduser().open("rb") as file:
            return file.read(LARGEST).decode("utf-8", "replace")
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error.strerror}.") from None


def _tested(call: Session, *parts: object, body: dict[str, Any]) -> dict[str, Any]:
    """Begin a test and wait for its answer; a host key is confirmed on the way."""
    found: dict[str, Any] = call.client.order("POST", call.here(*parts), body)
    while found["state"] in {"testing", "key_to_confirm"}:
        if found["state"] == "testing":
            found = call.patiently("node-tests", found["id"], wait=WAIT_S, following=TEST_AGAIN)
        else:
            found = _confirmed(call, found)
    if call.args.accept_new_host_key and found["host_key"]:
        key = found["host_key"]
        unseen = f"{key['kind']} {key['fingerprint']}"
        print(
            show.plain(f"WARNING: the host key of {found['address']} was taken unseen: {unseen}"),
            file=sys.stderr,
        )
    return found


def _confirmed(call: Session, found: dict[str, Any]) -> dict[str, Any]:
    key = found["host_keys"][0]
    shown = show.plain(f"{found['address']} shows the host key {key['kind']} {key['fingerprint']}.")
    if not sys.stdin.isatty():
        raise Refused(
            f"{shown} Compare it on the host itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), and "
            f"say it: --host-key {key['fingerprint']}. --accept-new-host-key takes it unseen."
        )
    print(f"{shown}\nIs that what the host itself says? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Refused("Nothing was added.")
    order = {"fingerprint": key["fingerprint"]}
    answer: dict[str, Any] = call.client.order(
        "POST", call.here("node-tests", found["id"], "confirm-host-key"), order
    )
    return answer


def _told(call: Session, found: dict[str, Any]) -> int:
    """What a test found; 0 when the host can be added."""
    if call.args.json:
        show.as_json(found)
    else:
        show.table(found["findings"], FINDINGS)
        if found["facts"]:
            show.pairs(found["facts"], FACTS)
    if found["state"] == "ready":
        return 0
    print(show.plain(f"{found['address']} cannot be added like this."), file=sys.stderr)
    return 1


def _joined(call: Session, node: dict[str, Any]) -> dict[str, Any]:
    while node["state"] == "joining":
        clock().sleep(LOOK_S)
        following = f"{show.plain(node['name'])} was added. See: clusterctl node show {node['id']}"
        node = call.patiently("nodes", node["id"], following=following)
    return node


SIGN_IN = (
    option("--ssh-key", "a private key; it is sent and kept encrypted", metavar="FILE"),
    option("--ssh-key-file", "a private key on the machines of the workers", metavar="PATH"),
    option("--tls-ca", "the CA's certificate", metavar="FILE"),
    option("--tls-cert", "the client's certificate", metavar="FILE"),
    option("--tls-key", "the client's key; it is sent and kept encrypted", metavar="FILE"),
    option("--tls-folder", "a folder of these three on the machines of the workers", metavar="PATH"),
    option("--host-key", "the fingerprint that the host must show", metavar="SHA256:…"),
    option("--accept-new-host-key", "take whatever key is shown, unseen", action="store_true"),
    option("--migration-address", "how other hosts reach it, if not so", metavar="ADDRESS"),
    option("--i-know-tcp-is-unprotected", "for qemu+tcp", action="store_true"),
)
ADDRESS = option("address", "such as qemu+ssh://root@hv-01.example/system")
VERBS = (
    Verb("cluster", "create", "create_cluster", "make an empty one", create, (
        option("name", "its name"),
    ), in_cluster=False),
    Verb("node", "test", "test_connection", "test a host that is to become a node", test, (
        ADDRESS,
        option("--name", "of the node to be", metavar="NAME"),
        *SIGN_IN,
    )),
    Verb("node", "add", "add_node", "test a host and make it a node", add, (
        option("name", "of the node to be"),
        ADDRESS,
        *SIGN_IN,
    ), waits=True),
    Verb("node", "access", "change_access", "reach a node in another way", access, (
        NODE,
        option("--address", "another address", metavar="ADDRESS"),
        option("--own", "sign in with what the workers' account has", action="store_true"),
        *SIGN_IN,
    )),
    Verb("node", "evict", "evict_node", "let a node go that owns and holds nothing", evict, (NODE, YES)),
)  # fmt: skip
