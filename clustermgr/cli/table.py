"""The shape of a word of clusterctl: a verb of a noun, the right that it needs and what may follow it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clustermgr.cli.session import Session

Run = Callable[[Session], int | None]


@dataclass(frozen=True, slots=True)
class Option:
    """An argument as argparse takes it. `names`: what completes it: "vm", "node" or nothing."""

    flag: str
    help: str
    names: str = ""
    more: tuple[tuple[str, Any], ...] = ()


def option(flag: str, help: str, *, names: str = "", **more: Any) -> Option:
    return Option(flag, help, names, tuple(more.items()))


@dataclass(frozen=True, slots=True)
class Verb:
    """`right`: its name in the manager's table of rights. `waits`: it gives an order that takes time."""

    noun: str
    name: str
    right: str
    help: str
    run: Run
    options: tuple[Option, ...] = ()
    waits: bool = False
    in_cluster: bool = True


VM = option("vm", "name or id", names="vm")
NODE = option("node", "name or id", names="node")


def count(text: str) -> int:
    """A number from 1; argparse tells what was typed instead."""
    if not text.isascii() or not text.isdigit() or not int(text):
        raise ValueError(text)
    return int(text)


NUMBER = option("id", "its number", type=count)
LIMIT = option("--limit", "at most so many", type=count, metavar="N")
TO = option("--to", "the node (default: the best one)", names="node", metavar="NODE")
YES = option("--yes", "do not ask", action="store_true")
