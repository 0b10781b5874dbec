"""One call of clusterctl: its words, the API, the cluster that is meant, waiting, and how it ends."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from clustermgr.cli import show
from clustermgr.cli.client import Client, Refused, path
from clustermgr.ports import clock

WAIT_S, LOOK_S = 25, 1
#: How long a console that restarts is waited for, and what it, or a proxy in front, answers meanwhile.
PATIENCE_S, AWAY = 60.0, {0, 502, 503, 504}
ACTIVE = {"queued", "running", "cancelling"}


class WrongWords(Exception):
    """What was typed cannot be meant: exit status 2."""


class Session:
    def __init__(self, args: Namespace, client: Client) -> None:
        self.args = args
        self.client = client
        self._cluster = getattr(args, "cluster", None) or os.environ.get("CLUSTERCTL_CLUSTER", "")

    def here(self, *parts: object) -> str:
        """An address in the cluster that is meant: the named one, or the only one."""
        if not self._cluster:
            names = [row["slug"] for row in self.client.get("/clusters")]
            if len(names) > 1:
                raise WrongWords(f"There are several clusters; name one with --cluster: {', '.join(names)}.")
            if not names:
                raise Refused("There is no cluster yet. Make one: clusterctl cluster create NAME")
            self._cluster = names[0]
        return path("clusters", self._cluster, *parts)

    def get(self, *parts: object, **query: Any) -> Any:
        return self.client.get(self.here(*parts), **query)

    def all(self, *parts: object, **query: Any) -> list[dict[str, Any]]:
        """Every row of a list of pages, or `--limit` of them."""
        most = getattr(self.args, "limit", None) or 100_000
        rows: list[dict[str, Any]] = []
        step: dict[str, Any] = {}
        while len(rows) < most:
            found = self.get(*parts, **query, **step, limit=min(100, most - len(rows)))
            rows += found["items"]
            following = {name: found.get(f"next_{name}") for name in ("offset", "before")}
            step = {name: value for name, value in following.items() if value}
            if not step:
                break
        return rows

    def order(self, *parts: object, body: Any = None, method: str = "POST") -> int:
        """Give an order; with --wait until it has ended."""
        answer = self.client.order(method, self.here(*parts), body)
        operation = answer.get("operation")
        if operation is None:
            self.tell(answer, "Done; nothing of a host was needed.")
            return 0
        if self.args.wait:
            return self.wait(operation)
        self.tell(operation, f"{show.what(operation)} was ordered: operation {operation['id']}.")
        return 0

    def wait(self, operation: Mapping[str, Any], good: str = "succeeded") -> int:
        """Until it has ended; 0 when it ended in the `good` state, else 1 with the reason."""
        line = sys.stderr.isatty() and not self.args.json
        while operation["state"] in ACTIVE:
            if line:
                self._line(show.progress(operation))
            operation = self.operation(operation["id"], wait=LOOK_S if line else WAIT_S)
        if line:
            self._line("")
        done = operation["state"] == good
        outcome = operation["outcome"] or f"{show.what(operation)}: {operation['state']}."
        if self.args.json:
            show.as_json(operation)
        elif done:
            print(show.plain(outcome))
        if not done:
            print(show.plain(f"{outcome} {operation['advice']}".strip()), file=sys.stderr)
        return 0 if done else 1

    def operation(self, number: int, **query: Any) -> Mapping[str, Any]:
        """As it is now, also when the console restarts in between: what was ordered goes on meanwhile."""
        following = f"Operation {number} may be under way. Ask again: clusterctl operation wait {number}"
        return self.patiently("operations", number, following=following, **query)

    def patiently(self, *parts: object, following: str, **query: Any) -> Any:
        """Asked again while nobody answers; when that lasts, the refusal says what follows."""
        until = clock().monotonic() + PATIENCE_S
        while True:
            try:
                return self.get(*parts, **query)
            except Refused as refusal:
                if refusal.status not in AWAY:
                    raise
                if clock().monotonic() >= until:
                    sentences = (*refusal.sentences, following)
                    raise Refused(*sentences, status=refusal.status, problem=refusal.problem) from None
            clock().sleep(LOOK_S)

    def tell(self, found: Any, sentence: str) -> None:
        if self.args.json:
            show.as_json(found)
        else:
            print(sentence)

    def confirm(self, consequence: str) -> None:
        """Ask before what may lose data; --yes answers beforehand."""
        if self.args.yes:
            return
        if not sys.stdin.isatty():
            raise WrongWords(f"{consequence} Say --yes to do it.")
        print(f"{consequence} Go on? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise Refused("Nothing was done.")

    def retyped(self, name: str, what: str, consequence: str) -> str:
        """The name typed once more, before what cannot be taken back; --yes answers beforehand."""
        if self.args.yes:
            return name
        if not sys.stdin.isatty():
            raise WrongWords(f"{consequence} Say --yes to do it.")
        print(f"{consequence}\nType {name} to {what} it: ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()

    def _line(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[K{text[:width]}", end="", file=sys.stderr, flush=True)
