"""clusterctl cluster management, stand-down, resume and take-over."""

from __future__ import annotations

from typing import Any

from clustermgr.cli import show
from clustermgr.cli.session import Session
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


def _show(call: Session, found: dict[str, Any]) -> None:
    if call.args.json:
        return show.as_json(found)
    show.pairs(found, MANAGEMENT)
    for rival in found["rivals"]:
        print(show.plain(f"Another manager was seen: {rival['manager']}, epoch {rival['epoch']}."))
    return None


REASON = option("--reason", "everybody who opens the cluster reads it", required=True, metavar="TEXT")
CONFIRM = option("--confirm", "the cluster's name, typed", required=True, metavar="NAME")
VERBS = (
    Verb("cluster", "management", "view", "whether it takes orders, and other managers seen", management),
    Verb(
        "cluster", "stand-down", "stand_down", "look only: take no orders, do nothing", stand_down, (REASON,)
    ),
    Verb("cluster", "resume", "resume_cluster", "manage again what a person stood down", resume),
    Verb("cluster", "take-over", "take_over", "manage it from here and nowhere else", take_over, (CONFIRM,)),
)
