"""labctl: the simulated hosts from a shell, behind the manager's back.

python -m clustermgr.drivers.lab.labctl list
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections.abc import Callable, Sequence
from typing import Any

from clustermgr.drivers.contract import DriverError, Refused
from clustermgr.drivers.lab import store
from clustermgr.drivers.lab.faults import Faults
from clustermgr.drivers.lab.onhost import OnHost, find_vm
from clustermgr.drivers.lab.overview import overview
from clustermgr.drivers.lab.world import World

_NODE_VERBS = {
    "power-off": ("power_off", "has no power"),
    "power-on": ("power_on", "has power and starts up"),
    "cut": ("cut", "is cut off from the management network"),
    "mend": ("mend", "is on the management network again"),
    "agent-off": ("agent_off", "has no hypervisor daemon; its VMs run on"),
    "agent-on": ("agent_on", "has its hypervisor daemon again"),
    "hang": ("hang", "hangs: calls to it get no answer"),
}
_VM_VERBS: dict[str, tuple[Callable[[OnHost, str], None], str]] = {
    "start": (OnHost.start, "is being started"),
    "stop": (OnHost.shut_down, "is asked to shut down"),
    "turn-off": (OnHost.turn_off, "is turned off"),
    "pause": (OnHost.pause, "is paused"),
}
Answer = tuple[str, Any]  # a sentence, and the same for --json


def main(argv: Sequence[str] | None = None, world: World | None = None) -> int:
    """Exit 0 when done, 1 when a host said no, 2 for a command that is none."""
    arguments = _parser().parse_args(argv)
    world = world or World(store.at(arguments.store or store.default_path()))
    try:
        if world.store.is_empty():
            raise Refused(
                f"There are no simulated hosts in {world.store.path} yet. Start the demonstration first."
            )
        sentence, answer = arguments.act(world, arguments)
    except (DriverError, sqlite3.Error) as error:
        message = error.sentence if isinstance(error, DriverError) else f"The store cannot be used: {error}."
        print(json.dumps({"error": message}) if arguments.json else message, file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2) if arguments.json else sentence)
    return 0


def _list(world: World, arguments: argparse.Namespace) -> Answer:
    nodes = overview(world)
    lines = []
    for node in nodes:
        lines.append(f"{node['name']}  {node['state']}  {node['cpus']} processors, {node['memory_mib']} MiB")
        for vm in node["vms"]:
            lines.append(
                f"  {vm['name']:<16} {vm['state']:<10} {vm['memory_mib']:>7} MiB  {vm['vcpus']:>2} cpu"
            )
        for volume in node["volumes"]:
            if not volume["reachable"]:
                lines.append(f"  volume {volume['name']} cannot be reached")
    return "\n".join(lines), {"nodes": nodes}


def _node(world: World, arguments: argparse.Namespace) -> Answer:
    method, outcome = _NODE_VERBS[arguments.verb]
    getattr(Faults(world), method)(arguments.name)
    return f"{arguments.name} {outcome}.", {"node": arguments.name, "done": arguments.verb}


def _storage(world: World, arguments: argparse.Namespace) -> Answer:
    faults = Faults(world)
    act = faults.storage_cut if arguments.verb == "cut" else faults.storage_mend
    act(arguments.node, arguments.volume)
    word = "lost" if arguments.verb == "cut" else "has again"
    answer = {"node": arguments.node, "volume": arguments.volume, "done": arguments.verb}
    return f"{arguments.node} {word} its path to {arguments.volume}.", answer


def _vm(world: World, arguments: argparse.Namespace) -> Answer:
    node, uuid = find_vm(world, arguments.name, node=arguments.node)
    act, outcome = _VM_VERBS[arguments.verb]
    act(OnHost(world, node), uuid)
    return f"{arguments.name} {outcome} on {node}.", {
        "vm": arguments.name,
        "node": node,
        "done": arguments.verb,
    }


def _crash(world: World, arguments: argparse.Namespace) -> Answer:
    node, uuid = find_vm(world, arguments.name, node=arguments.node)
    Faults(world).crash(uuid, node=node)
    return f"{arguments.name} crashed on {node}.", {"vm": arguments.name, "node": node, "done": "crash"}


def _hang(world: World, arguments: argparse.Namespace) -> Answer:
    _, uuid = find_vm(world, arguments.name, node=arguments.node)
    hangs = arguments.verb == "hang"
    Faults(world).hang_guest(uuid, hangs=hangs)
    word = "hangs" if hangs else "works again"
    return f"The guest of {arguments.name} {word}.", {"vm": arguments.name, "done": arguments.verb}


def _dirty(world: World, arguments: argparse.Namespace) -> Answer:
    _, uuid = find_vm(world, arguments.name, node=arguments.node)
    Faults(world).load(uuid, dirty_mib_s=arguments.mib_s)
    answer = {"vm": arguments.name, "dirty_mib_s": arguments.mib_s}
    return f"{arguments.name} writes {arguments.mib_s:g} MiB of memory a second.", answer


def _stamp(world: World, arguments: argparse.Namespace) -> Answer:
    node, uuid = find_vm(world, arguments.name, node=arguments.node)
    text = ""
    if arguments.manager:
        text = f"manager={arguments.manager} epoch={arguments.epoch} vm={arguments.of or uuid}"
    OnHost(world, node).stamp(uuid, text)
    word = f"carries the stamp of {arguments.manager}" if text else "carries no stamp"
    return f"{arguments.name} on {node} {word}.", {"vm": arguments.name, "node": node, "stamp": text}


def _set(world: World, arguments: argparse.Namespace) -> Answer:
    wanted = {"memory_mib": arguments.memory, "vcpus": arguments.processors, "notes": arguments.notes}
    changes = {field: value for field, value in wanted.items() if value is not None}
    if not changes:
        raise Refused("Nothing to change: give --memory, --processors or --notes.")
    node, uuid = find_vm(world, arguments.name, node=arguments.node)
    when = OnHost(world, node).edit(uuid, changes)
    words = ", ".join(
        f"{field} {'now' if at == 'now' else 'from its next start'}" for field, at in when.items()
    )
    return f"{arguments.name} on {node} is changed: {words}.", {
        "vm": arguments.name,
        "node": node,
        "applies": when,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="labctl", description="Change the simulated hosts behind the manager's back."
    )
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.add_argument(
        "--store", default="", help=f"the store's file (default: {store.ENV} or var/lab.sqlite3)"
    )
    things = parser.add_subparsers(required=True, metavar="list|vm|node|storage")
    things.add_parser("list", help="hosts and VMs, as they really are").set_defaults(act=_list)
    _add_vm(things.add_parser("vm", help="one VM, on its host").add_subparsers(required=True, dest="verb"))
    node = things.add_parser("node", help="one host")
    node.add_argument("verb", choices=_NODE_VERBS)
    node.add_argument("name")
    node.set_defaults(act=_node)
    storage = things.add_parser("storage", help="a host's path to a volume")
    storage.add_argument("verb", choices=("cut", "mend"))
    storage.add_argument("node")
    storage.add_argument("volume")
    storage.set_defaults(act=_storage)
    return parser


def _add_vm(verbs: Any) -> None:
    acts = dict.fromkeys(_VM_VERBS, _vm) | {"crash": _crash, "hang": _hang, "heal": _hang}
    acts |= {"dirty": _dirty, "set": _set, "stamp": _stamp}
    for verb, act in acts.items():
        parser = verbs.add_parser(verb)
        parser.add_argument("name")
        parser.add_argument("--node", default="", help="the host, when the VM is on several")
        parser.set_defaults(act=act)
        if verb == "dirty":
            parser.add_argument("mib_s", type=float, metavar="MIB_S")
        if verb == "stamp":
            parser.add_argument(
                "manager", nargs="?", default="", help="its id; left out: take the stamp away"
            )
            parser.add_argument("--epoch", type=int, default=1)
            parser.add_argument("--of", default="", metavar="UUID", help="of another VM, as a clone has it")
        if verb == "set":
            parser.add_argument("--memory", type=int, metavar="MIB")
            parser.add_argument("--processors", type=int, metavar="N")
            parser.add_argument("--notes", metavar="TEXT")


if __name__ == "__main__":
    sys.exit(main())
