"""The newest look at each node, and what looks at several nodes say together of one VM.

Knows nothing of rows: core.sightings compares it with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from clustermgr.core.readings import Look


class Picture:
    """The newest look at each node, and since when a VM has been seen or missed there."""

    def __init__(self) -> None:
        self.looks: dict[int, Look] = {}
        self._since: dict[tuple[int, str], datetime] = {}
        self._idle: dict[tuple[int, str], datetime] = {}
        self._where: dict[str, set[int]] = {}

    def add(self, look: Look) -> None:
        """Put a newer look at a node in the place of its last one."""
        before = self.looks.get(look.node)
        for uuid in before.seen.keys() - look.seen.keys() if before else ():
            self._lost(look.node, uuid)
        for uuid, seen in look.seen.items():
            if seen.process and not seen.incoming:
                self._idle.pop((look.node, uuid), None)
                self._since.setdefault((look.node, uuid), look.began)
                self._where.setdefault(uuid, set()).add(look.node)
            else:
                self._lost(look.node, uuid)
        self.looks[look.node] = look

    def forget(self, node: int) -> None:
        """The node fell silent: what was seen there says nothing of now."""
        look = self.looks.pop(node, None)
        if look is None:
            return
        for uuid in look.seen:
            self._lost(node, uuid)
        # What was missed there may have been started, and moved, while nobody looked.
        self._idle = {key: since for key, since in self._idle.items() if key[0] != node}

    def _lost(self, node: int, uuid: str) -> None:
        self._since.pop((node, uuid), None)
        self._where.get(uuid, set()).discard(node)

    def running_on(self, uuid: str) -> set[int]:
        """Nodes whose newest look shows a copy that runs (or could), unfinished incoming ones apart."""
        return self._where.get(uuid, set())

    def at_once(self, uuid: str, one: int, other: int) -> bool:
        """Both looks are newer than the first sight on the other side: not the two ends of one move."""
        since = self._since
        return self.looks[one].began >= since[other, uuid] and self.looks[other].began >= since[one, uuid]

    def unseen(self, uuid: str, owner: int, nodes: Iterable[int]) -> set[int]:
        """Those of `nodes` without a look that is newer than the first one at its owner without a running
        copy: it may have been moved there."""
        idle = self._idle.setdefault((owner, uuid), self.looks[owner].began)
        return {
            node
            for node in nodes
            if node != owner and (node not in self.looks or self.looks[node].began < idle)
        }

    def came_after(self, uuid: str, owner: int, other: int) -> bool:
        """Running on `other`, and a look at the owner begun after that shows no running copy there."""
        return self.looks[owner].began >= self._since[other, uuid]

    def arriving(self, uuid: str) -> bool:
        """An unfinished incoming copy was seen: a move of which the other end is gone."""
        return any((seen := look.seen.get(uuid)) and seen.incoming for look in self.looks.values())

    def missed_s(self, uuid: str, owner: int) -> float:
        """For how long looks at its owner have shown no running copy, once `unseen` was asked."""
        return (self.looks[owner].began - self._idle[owner, uuid]).total_seconds()
