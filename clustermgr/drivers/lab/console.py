"""The host console: what a simulated host's own tool shows and does. Knows nothing of the cluster.

    uvicorn clustermgr.drivers.lab.console:app --port 8001

It stands for Hyper-V Manager, virsh or virt-manager: what edits a VM on its host behind the manager's back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

from clustermgr.drivers.contract import DriverError, NotFound, Refused
from clustermgr.drivers.lab import console_pages as pages
from clustermgr.drivers.lab import store
from clustermgr.drivers.lab.console_auth import Gate, open_gate
from clustermgr.drivers.lab.console_http import HttpError, Request, Response, asgi, redirect
from clustermgr.drivers.lab.faults import Faults
from clustermgr.drivers.lab.onhost import OnHost
from clustermgr.drivers.lab.world import World

_HOST_VERBS: dict[str, Callable[[Faults, str], None]] = {
    "power-off": Faults.power_off,
    "power-on": Faults.power_on,
    "cut": Faults.cut,
    "mend": Faults.mend,
    "agent-off": Faults.agent_off,
    "agent-on": Faults.agent_on,
}
_VM_VERBS: dict[str, Callable[[OnHost, str], None]] = {
    "start": OnHost.start,
    "pause": OnHost.pause,
    "shut-down": OnHost.shut_down,
    "turn-off": OnHost.turn_off,
}
_GUEST_VERBS: dict[str, Callable[[Faults, str, str], None]] = {
    "crash": lambda faults, node, uuid: faults.crash(uuid, node=node),
    "hang": lambda faults, node, uuid: faults.hang_guest(uuid),
    "heal": lambda faults, node, uuid: faults.hang_guest(uuid, hangs=False),
}
DONE = {
    "power-off": "The plug is pulled.",
    "power-on": "The power is on. The host is starting.",
    "cut": "The management path is cut.",
    "mend": "The management path is mended.",
    "agent-off": "The hypervisor daemon is stopped. Guests run on.",
    "agent-on": "The hypervisor daemon is started.",
    "storage-cut": "The storage path is cut.",
    "storage-mend": "The storage path is mended.",
    "start": "The start is under way.",
    "pause": "The VM is paused.",
    "shut-down": "The guest was asked to shut down.",
    "turn-off": "The VM is turned off.",
    "crash": "The VM crashed.",
    "hang": "The guest hangs.",
    "heal": "The guest works again.",
    "settings": "The settings are saved. Memory and processors of a running VM change at its next start.",
    "dirty": "The dirty rate is changed.",
    "stamp": "The manager's mark is changed.",
}


class Console:
    """Routes and rules of the console on one world."""

    def __init__(self, world: World, gate: Gate) -> None:
        self.world = world
        self.gate = gate

    def answer(self, request: Request) -> Response:
        if request.path == "/console.css":
            return Response(pages.stylesheet(), kind="text/css; charset=utf-8")
        if request.method not in ("GET", "HEAD", "POST"):
            raise HttpError(405, "This page only knows looking and its own forms.")
        if request.path == "/" and "token" in request.query:
            return self._sign_in(request.query["token"])
        if not self.gate.knows(request.cookies.get(self.gate.cookie_name, "")):
            raise HttpError(403, pages.SIGN_IN)
        try:
            return self._post(request) if request.method == "POST" else self._get(request)
        except NotFound as error:
            raise HttpError(404, error.sentence) from error
        except sqlite3.Error as error:
            raise HttpError(503, "The store of the simulated hosts cannot be used now. Try again.") from error

    def _sign_in(self, token: str) -> Response:
        if not self.gate.admits(token):
            raise HttpError(403, pages.SIGN_IN)
        cookie = f"{self.gate.cookie_name}={self.gate.session}; Path=/; HttpOnly; SameSite=Strict"
        return redirect("/", ("set-cookie", cookie))

    def _get(self, request: Request, *, error: str = "") -> Response:
        said = DONE.get(request.query.get("done", ""), "")
        notice = pages.Notice(error=error, said="" if error else said, csrf=self.gate.csrf)
        match request.path.strip("/").split("/"):
            case [""]:
                return Response(pages.hosts(self.world, notice))
            case ["hosts", node]:
                body = pages.host(self.world, node, notice)
            case ["hosts", node, "vms", uuid]:
                body = pages.vm(self.world, node, uuid, notice, entered=request.form)
            case _:
                raise HttpError(404, "There is no such page here.")
        return Response(body, status=409 if error else 200)

    def _post(self, request: Request) -> Response:
        if request.from_elsewhere or not self.gate.trusts(request.form.get("csrf", "")):
            raise HttpError(403, "This form is not from this console, or too old. Open the page again.")
        path = request.path.strip("/").split("/")
        page, verb = "/" + "/".join(path[:-1]), path[-1]
        try:
            self._act(path, request.form)
        except (NotFound, HttpError):
            raise
        except DriverError as refusal:
            if path[2:3] == ["storage"]:
                page = "/".join(["", *path[:2]])
            again = Request("GET", page, form=request.form)
            return self._get(again, error=refusal.sentence)
        if path[2:3] == ["storage"]:
            page, verb = "/".join(["", *path[:2]]), f"storage-{verb}"
        return redirect(f"{quote(page)}?done={verb}")

    def _act(self, path: list[str], form: dict[str, str]) -> None:
        faults = Faults(self.world)
        match path:
            case ["hosts", node, verb] if verb in _HOST_VERBS:
                _HOST_VERBS[verb](faults, node)
            case ["hosts", node, "storage", volume, "cut"]:
                faults.storage_cut(node, volume)
            case ["hosts", node, "storage", volume, "mend"]:
                faults.storage_mend(node, volume)
            case ["hosts", node, "vms", uuid, verb] if verb in _VM_VERBS:
                _VM_VERBS[verb](OnHost(self.world, node), uuid)
            case ["hosts", node, "vms", uuid, verb] if verb in _GUEST_VERBS:
                _GUEST_VERBS[verb](faults, node, uuid)
            case ["hosts", node, "vms", uuid, "settings"]:
                OnHost(self.world, node).edit(uuid, _settings(form))
            case ["hosts", node, "vms", uuid, "stamp"]:
                OnHost(self.world, node).stamp(uuid, _stamp(form))
            case ["hosts", _, "vms", uuid, "dirty"]:
                faults.load(uuid, dirty_mib_s=_number(form, "dirty_mib_s", "The dirty rate"))
            case _:
                raise HttpError(404, "There is no such order here. Nothing was changed.")


def _settings(form: dict[str, str]) -> dict[str, object]:
    """Raises Refused for what is no number; the host itself checks the limits."""
    return {
        "memory_mib": _number(form, "memory_mib", "Memory"),
        "vcpus": _number(form, "vcpus", "Processors"),
        "notes": form.get("notes", "").replace("\r\n", "\n"),
    }


def _stamp(form: dict[str, str]) -> str:
    """Raises Refused for what is no mark: words such as “manager=… epoch=3 vm=…”."""
    text = " ".join(form.get("stamp", "").split())
    if len(text) > 200 or not all(part.isascii() and "=" in part for part in text.split()):
        raise Refused("A mark is empty, or of words such as “manager=… epoch=3 vm=…”. Nothing was changed.")
    return text


def _number(form: dict[str, str], field: str, label: str) -> int:
    text = form.get(field, "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refused(f"{label} must be a whole number, not “{text[:40]}”. Nothing was changed.")
    return int(text)


def refuse(error: HttpError) -> Response:
    return Response(pages.message(HTTPStatus(error.status).phrase, error.sentence), status=error.status)


def answer(request: Request) -> Response:
    return Console(World(store.default()), open_gate()).answer(request)


app = asgi(answer, refuse)
