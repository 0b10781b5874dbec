"""clusterctl vm …"""

from __future__ import annotations

from typing import Any

from clustermgr.cli import show
from clustermgr.cli.session import Session, WrongWords
from clustermgr.cli.table import LIMIT, TO, VM, YES, Run, Verb, count, option
from clustermgr.core.states import VmState
from clustermgr.core.words import OFFLINE_ACTIONS, state_word

SILENT = ("down", "agent_down", "isolated")
SORTS = ("name", "state", "owner", "cpu", "memory", "priority", "uptime")
BOTH_WAYS = (*SORTS, *(f"-{each}" for each in SORTS))
PRIORITIES = ("high", "medium", "low", "no_auto_start")
SETTINGS = {
    "memory_mib": option("--memory", "in MB", type=count, metavar="MB", dest="memory_mib"),
    "vcpus": option("--vcpus", "virtual processors", type=count, metavar="N"),
    "notes": option("--notes", "a text that goes with it", metavar="TEXT"),
    "offline_action": option(
        "--offline-action", "what a move does to it", choices=[str(key) for key in OFFLINE_ACTIONS]
    ),
    "priority": option("--priority", "order of starts and moves", choices=PRIORITIES),
}
COLUMNS = {
    "name": "NAME",
    "state": "STATE",
    "owner": "OWNER",
    "cpu_percent": "CPU",
    "memory_mib": "MEMORY",
    "priority": "PRIORITY",
    "drifted": "DRIFT",
    "pending": "UNTIL NEXT START",
}
DETAIL = {
    "name": "Name",
    "id": "Id",
    "state": "State",
    "state_reason": "Because",
    "owner": "Owner",
    "volume": "Volume",
    "vcpus": "Processors",
    "memory_mib": "Memory",
    "priority": "Priority",
    "offline_action": "Offline action",
    "preferred": "Preferred owners",
    "possible": "Possible owners",
    "drifted": "Drift",
    "pending": "Until next start",
    "started_at": "Running since",
    "started_seen": "Since, at least",
    "notes": "Notes",
}
VERDICTS = {
    "name": "NODE",
    "verdict": "VERDICT",
    "memory_percent_after": "MEMORY AFTER",
    "seconds": "SECONDS",
    "reasons": "BECAUSE",
}
DRIFT = {"field": "FIELD", "cluster": "CLUSTER", "host": "HOST", "running": "RUNNING", "bucket": "HOW"}


def list_(call: Session) -> None:
    args = call.args
    rows = call.all(
        "vms",
        q=args.search,
        state=args.state,
        node=args.node,
        drift=args.drift,
        attention=args.attention,
        sort=args.sort,
    )
    show.as_json(rows) if args.json else show.table(rows, COLUMNS)


def show_(call: Session) -> None:
    found = call.get("vms", call.args.vm)
    show.as_json(found) if call.args.json else show.pairs(found, DETAIL)


def targets(call: Session) -> None:
    found = call.get("vms", call.args.vm, "targets", kind=call.args.kind)
    show.as_json(found) if call.args.json else show.table(found, VERDICTS)


def live_migrate(call: Session) -> int:
    return call.order("vms", call.args.vm, "live-migrate", body={"target": call.args.to})


def quick_migrate(call: Session) -> int:
    call.confirm(f"{call.args.vm} stops for as long as its memory is written to the volume and read again.")
    return call.order("vms", call.args.vm, "quick-migrate", body={"target": call.args.to})


def move(call: Session) -> int:
    action = call.args.offline_action or call.get("vms", call.args.vm)["offline_action"]
    if action == "turn_off":
        call.confirm("Turn off cuts the power without asking the guest. Data loss may occur.")
    body = {"target": call.args.to, "offline_action": call.args.offline_action}
    return call.order("vms", call.args.vm, "move", body=body)


def turn_off(call: Session) -> int:
    call.confirm("Turns the power off without asking the guest. Data loss may occur.")
    return call.order("vms", call.args.vm, "turn-off")


def shut_down(call: Session) -> int:
    return call.order("vms", call.args.vm, "shut-down", body={"forced": call.args.forced})


def power(name: str) -> Run:
    return lambda call: call.order("vms", call.args.vm, name)


def set_(call: Session) -> int:
    given = {name: getattr(call.args, name) for name in SETTINGS}
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise WrongWords("Say what to set: " + ", ".join(each.flag for each in SETTINGS.values()) + ".")
    now = call.get("vms", call.args.vm)
    base = {name: now[name] for name in changes}
    body: dict[str, Any] = {"version": now["config_version"], "changes": changes, "base": base}
    return call.order("vms", now["id"], "settings", body=body, method="PATCH")


def drift(call: Session) -> None:
    found = call.get("vms", call.args.vm, "drift")
    if call.args.json:
        show.as_json(found)
    elif found["fields"]:
        show.table(found["fields"], DRIFT)
    else:
        print(f"{call.args.vm} is in step with its host.")


def remove(call: Session) -> int:
    found = call.get("vms", call.args.vm)
    name, node = show.plain(found["name"]), show.plain(found["owner"])
    nodes = {found["owner"], *found["holders"]}
    kept = f"{name} stays on {node} as it is, and the cluster does not keep it available any more."
    for each in call.get("nodes"):
        if each["name"] in nodes and each["state"] in SILENT:
            silent = show.plain(f"{each['name']} is {state_word(each['state'])}")
            kept += f" {silent}: {name} may run there, and keeps the stamp."
    typed = call.retyped(found["name"], "remove", kept)
    return call.order("vms", found["id"], "remove", body={"name": typed})


def refresh(call: Session) -> None:
    seen = call.get("vms", call.args.vm, "drift")
    body = {"fingerprint": seen["fingerprint"], "fields": call.args.field}
    found = call.client.order("POST", call.here("vms", call.args.vm, "refresh"), body)
    call.tell(found, f"The host's configuration of {show.plain(found['name'])} was accepted.")


VERBS = (
    Verb("vm", "list", "view", "list virtual machines", list_, (
        option("--search", "a part of the name", metavar="TEXT"),
        option("--state", "such as running, off or failed", choices=list(map(str, VmState)), metavar="STATE"),
        option("--node", "on this node", names="node"),
        option("--drift", "whose configuration differs from the host's", action="store_true"),
        option("--attention", "which need attention", action="store_true"),
        option("--sort", f"{', '.join(SORTS)}; --sort=-cpu turns it round", choices=BOTH_WAYS, metavar="BY"),
        LIMIT,
    )),
    Verb("vm", "show", "view", "show one", show_, (VM,)),
    Verb("vm", "targets", "view", "a verdict for every node", targets, (
        VM,
        option("--kind", "of move", choices=("live_migration", "quick_migration", "move")),
    )),
    Verb("vm", "live-migrate", "live_migrate", "move it while it runs", live_migrate, (VM, TO), waits=True),
    Verb("vm", "quick-migrate", "quick_migrate", "save it and restore it elsewhere", quick_migrate,
         (VM, TO, YES), waits=True),
    Verb("vm", "move", "move", "take it offline and bring it up elsewhere", move,
         (VM, TO, SETTINGS["offline_action"], YES), waits=True),
    Verb("vm", "start", "start", "start, restore or resume it", power("start"), (VM,), waits=True),
    Verb("vm", "shut-down", "shut_down", "ask the guest to shut down", shut_down, (
        VM,
        option("--forced", "without waiting for slow processes", action="store_true"),
    ), waits=True),
    Verb("vm", "turn-off", "turn_off", "cut its power", turn_off, (VM, YES), waits=True),
    Verb("vm", "save", "save", "write its memory to its volume, stop it", power("save"), (VM,), waits=True),
    Verb("vm", "set", "change_settings", "change settings", set_, (VM, *SETTINGS.values()), waits=True),
    Verb("vm", "remove", "remove_role", "take it out of the cluster; it stays on its host", remove, (VM, YES),
         waits=True),
    Verb("vm", "drift", "view", "how its configuration differs from the host's", drift, (VM,)),
    Verb("vm", "refresh", "refresh", "accept the host's configuration", refresh, (
        VM,
        option("--field", "only this one (may be repeated)", action="append", metavar="FIELD"),
    )),
)  # fmt: skip
