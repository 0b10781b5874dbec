"""The host console's pages: plain HTML files of `pages/`, filled in with escaped text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from clustermgr.drivers.lab import overview
from clustermgr.drivers.lab.world import World

SIGN_IN = "Use the link to the host console that “make run” printed: it signs you in."
_FOLDER = Path(__file__).with_name("pages")
_VM_BUTTONS = {
    "start": "Start",
    "pause": "Pause",
    "shut-down": "Shut down",
    "turn-off": "Turn off",
    "crash": "Crash",
    "hang": "Hang the guest",
    "heal": "Wake the guest",
}
_IDLE = ("off", "saved", "crashed")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """What a page says at its top, and the token of its forms."""

    csrf: str
    error: str = ""
    said: str = ""

    def html(self) -> Html:
        if self.error:
            return _fill("error", text=self.error)
        return _fill("said", text=self.said) if self.said else Html()


def stylesheet() -> str:
    return _file("console.css")


def message(title: str, sentence: str) -> str:
    return _page(title, _fill("message", title=title, sentence=sentence))


def hosts(world: World, notice: Notice) -> str:
    cards = [
        _fill(
            "host_card",
            name=node["name"],
            link=_link(node["name"]),
            state=node["state"],
            slug=_slug(node["state"]),
            running=sum(vm["state"] == "running" for vm in node["vms"]),
            vms=len(node["vms"]),
            cpus=node["cpus"],
            memory=_size(node["memory_mib"]),
        )
        for node in overview.overview(world)
    ]
    return _page("Hosts", _fill("hosts", notice=notice.html(), cards=_join(cards) or _fill("empty")))


def host(world: World, name: str, notice: Notice) -> str:
    """Raises NotFound."""
    node = overview.node(world, name)
    here = _link(name)
    verbs = [
        ("power-off", "Pull the plug") if node["power"] else ("power-on", "Power on"),
        ("cut", "Cut management path") if node["path"] else ("mend", "Mend management path"),
        ("agent-off", "Stop daemon") if node["agent"] else ("agent-on", "Start daemon"),
    ]
    volumes = [_volume(here, volume, notice) for volume in node["volumes"]]
    answers = node["state"] not in ("off", "starting", "daemon stopped")
    rows = [_vm_row(here, vm) for vm in node["vms"]] if answers else []
    table = _fill("vm_table", rows=_join(rows)) if rows else _fill("no_vms", why=_why_empty(node))
    body = _fill(
        "host",
        notice=notice.html(),
        name=name,
        here=here,
        state=node["state"],
        slug=_slug(node["state"]),
        cpus=node["cpus"],
        cpu_model=node["cpu_model"],
        memory=_size(node["memory_mib"]),
        buttons=_join(_button(f"{here}/{verb}", label, notice) for verb, label in verbs),
        volumes=_join(volumes),
        vms=table,
    )
    return _page(name, body)


def vm(world: World, node: str, uuid: str, notice: Notice, *, entered: Mapping[str, str]) -> str:
    """`entered`: what a refused form held, shown again. Raises NotFound."""
    seen, here = overview.vm(world, node, uuid), f"{_link(node)}/vms/{quote(uuid, safe='')}"
    verbs = [verb for verb in _VM_BUTTONS if _makes_sense(verb, seen)]
    body = _fill(
        "vm",
        notice=notice.html(),
        name=seen["name"],
        node=node,
        up=_link(node),
        here=here,
        state=seen["state"].replace("_", " "),
        slug=_slug(seen["state"]),
        uuid=uuid,
        csrf=notice.csrf,
        buttons=_join(_button(f"{here}/{verb}", _VM_BUTTONS[verb], notice) for verb in verbs),
        memory=entered.get("memory_mib", seen["memory_mib"]),
        vcpus=entered.get("vcpus", seen["vcpus"]),
        notes=entered.get("notes", seen["notes"]),
        dirty=entered.get("dirty_mib_s", f"{seen['dirty_mib_s']:.0f}"),
        running=_running(seen),
        stamp=entered.get("stamp", seen["stamp"]),
        complaint=_fill("complaint", text=seen["complaint"]) if seen["complaint"] else Html(),
    )
    return _page(f"{seen['name']} on {node}", body)


def _vm_row(here: str, seen: dict[str, Any]) -> Html:
    return _fill(
        "vm_row",
        name=seen["name"],
        link=f"{here}/vms/{seen['uuid']}",
        state=seen["state"].replace("_", " "),
        slug=_slug(seen["state"]),
        memory=_size(seen["memory_mib"]),
        vcpus=seen["vcpus"],
        notes=seen["notes"],
    )


def _volume(here: str, volume: dict[str, Any], notice: Notice) -> Html:
    verb, label = ("cut", "Cut path") if volume["reachable"] else ("mend", "Mend path")
    state = "path cut" if not volume["reachable"] else "active" if volume["active"] else "not active here"
    action = f"{here}/storage/{quote(volume['name'], safe='')}/{verb}"
    return _fill("volume", name=volume["name"], state=state, button=_button(action, label, notice))


def _button(action: str, label: str, notice: Notice) -> Html:
    return _fill("button", action=action, label=label, csrf=notice.csrf)


def _makes_sense(verb: str, seen: dict[str, Any]) -> bool:
    idle, running = seen["state"] in _IDLE, seen["state"] == "running"
    return {
        "start": idle or seen["state"] in ("paused", "paused_io"),
        "pause": running,
        "shut-down": running,
        "turn-off": not idle,
        "crash": not idle and seen["state"] != "incoming",
        "hang": running and not seen["hung"],
        "heal": bool(seen["hung"]),
    }[verb]


def _running(seen: dict[str, Any]) -> str:
    now = (seen["running_memory_mib"], seen["running_vcpus"])
    if now[0] is None or now == (seen["memory_mib"], seen["vcpus"]):
        return ""
    return f"Runs with {now[0]} MiB and {now[1]} processors until its next start."


def _why_empty(node: dict[str, Any]) -> str:
    reasons = {
        "off": "The power is off. Turn it on to see the VMs.",
        "starting": "The host is starting. Look again in a moment.",
        "daemon stopped": "The hypervisor daemon is stopped, so nothing can be asked. Guests run on.",
    }
    return reasons.get(node["state"], "No VM is defined on this host.")


def _page(title: str, body: Html) -> str:
    return _fill("frame", title=title, body=body)


def _fill(template: str, /, **values: object) -> Html:
    safe = {key: value if isinstance(value, Html) else escape(str(value)) for key, value in values.items()}
    return Html(Template(_file(f"{template}.html")).substitute(safe))


def _join(parts: Any) -> Html:
    return Html("".join(parts))


@cache
def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _link(node: str) -> str:
    return f"/hosts/{quote(node, safe='')}"


def _slug(state: str) -> str:
    return state.replace(" ", "-").replace("_", "-")


def _size(mib: int) -> str:
    return f"{mib / 1024:g} GB" if mib % 512 == 0 else f"{mib} MB"
