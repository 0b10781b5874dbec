"""clusterctl cluster set, management, stand-down, resume and take-over."""

from __future__ import annotations

from typing import Any

from clustermgr.cli import show
from clustermgr.cli.session import Session, WrongWords
from clustermgr.cli.table import Verb, option

MANAGEMENT = {
    "managed": "Takes orders",
    "stood_down_reason": "Because",
    "stood_down_by": "Stood down by",
    "stood_down_at": "Since",
    "manager_id": "This manager",
    "epoch": "Epoch",
    "way_out": "Way out",
}


def management(call: Session) -> None:
    _show(call, call.get("management"))


def stand_down(call: Session) -> None:
    _show(call, call.client.order("POST", call.here("stand-down"), {"reason": call.args.reason}))


def resume(call: Session) -> None:
    _show(call, call.client.order("POST", call.here("resume")))


def take_over(call: Session) -> None:
    _show(call, call.client.order("POST", call.here("take-over"), {"confirm": call.args.confirm}))


def set_(call: Session) -> None:
    given = {name: getattr(call.args, name) for name in PROPERTIES}
    changes = {name: value for name, value in given.items() if value is not None}
    if "allow_unsafe_migration" in changes:
        changes["allow_unsafe_migration"] = changes["allow_unsafe_migration"] == "yes"
    if not changes:
        raise WrongWords("Say what to set: " + ", ".join(each.flag for each in PROPERTIES.values()) + ".")
    now = call.get()
    body = {"changes": changes, "base": {name: now[name] for name in changes}}
    found = call.client.order("PATCH", call.here(), body)
    call.tell(found, show.plain(f"Properties of {found['name']} were saved."))


def _show(call: Session, found: dict[str, Any]) -> None:
    if call.args.json:
        return show.as_json(found)
    show.pairs(found, MANAGEMENT)
    for rival in found["rivals"]:
        print(show.plain(f"Another manager was seen: {rival['manager']}, epoch {rival['epoch']}."))
    return None


PROPERTIES = {
    "live_migrations_per_node": option(
        "--live-migrations", "at a time at a node", type=int, metavar="N", dest="live_migrations_per_node"
    ),
    "migration_bandwidth_mib_s": option(
        "--bandwidth",
        "of each live migration, in MB a second; 0: no limit",
        type=int,
        metavar="MB",
        dest="migration_bandwidth_mib_s",
    ),
    "allow_unsafe_migration": option(
        "--allow-unsafe-migration",
        "whether volumes are plain shared directories, which libvirt does not check",
        choices=("yes", "no"),
    ),
}
SETTABLE = tuple(PROPERTIES.values())
REASON = option("--reason", "everybody who opens the cluster reads it", required=True, metavar="TEXT")
CONFIRM = option("--confirm", "the cluster's name, typed", required=True, metavar="NAME")
VERBS = (
    Verb("cluster", "set", "change_cluster", "change how live migrations are made", set_, SETTABLE),
    Verb("cluster", "management", "view", "whether it takes orders, and other managers seen", management),
    Verb(
        "cluster", "stand-down", "stand_down", "look only: take no orders, do nothing", stand_down, (REASON,)
    ),
    Verb("cluster", "resume", "resume_cluster", "manage again what a person stood down", resume),
    Verb("cluster", "take-over", "take_over", "manage it from here and nowhere else", take_over, (CONFIRM,)),
)
