"""What one watcher remembers of stamps, of definitions that were left behind and of autostart, and what is to
be done about them. Only finds; jobs do it on the hosts, and look again first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from clustermgr.actions import standing
from clustermgr.actions._ledger import Change
from clustermgr.core import stamps
from clustermgr.core.readings import Config, Inventory, Look
from clustermgr.core.sightings import frozen
from clustermgr.core.stamps import Identity, Mark, Stamp
from clustermgr.core.states import NodeState
from clustermgr.ports import clock
from clustermgr.queries.watch import Watched

STAMP = "clustermgr.jobs.stamps.stamp"
TIDY = "clustermgr.jobs.tidying.tidy"
NO_AUTOSTART = "clustermgr.jobs.tidying.forbid_autostart"
#: What was asked of a job is asked again after this long, when it is still needed.
AGAIN_S = {STAMP: 30.0, TIDY: 120.0, NO_AUTOSTART: 120.0}
#: A definition left behind is seen so twice, at least this long apart, before it is removed.
STALE_S = 2.0
IDENTITY_S = 30.0


@dataclass(slots=True)
class Marks:
    """Filled during a sweep, emptied by `write` at its end."""

    cluster_id: int
    wakes: list[tuple[str, int, object]] = field(default_factory=list)  # job, node, VM or (VM, what is seen)
    rivals: list[tuple[str, Stamp]] = field(default_factory=list)
    foreign: dict[int, list[tuple[str, Stamp]]] = field(default_factory=dict)  # node kept out -> its VMs
    down: bool = False
    _me: Identity | None = None
    _me_at: float = float("-inf")
    _asked: dict[tuple[str, int, int], float] = field(default_factory=dict)
    _stale: dict[tuple[int, str], datetime] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.wakes or self.rivals or self.foreign)

    def refresh(self, *, anew: bool) -> None:
        """Who this installation is, and whether the cluster stands down. `anew`: rows changed."""
        now = clock().monotonic()
        if anew or now - self._me_at >= IDENTITY_S:
            self._me, self._me_at = standing.identity(self.cluster_id), now
            self.down = not standing.acts(self.cluster_id)

    # -- stamps --
    def config(self, view: Watched, found: Config) -> None:
        """The stamp of one machine: of the cluster's own, read on its owner, and of any other on a member."""
        role, node = view.roles.get(found.uuid), view.nodes[found.node]
        ours = role is not None and role.owner == found.node
        if ours and role is not None and role.busy:
            return
        mark, stamp = self._read(found)
        if mark == Mark.RIVAL and stamp is not None:
            # Whose host it is that never was taken in is told by its inventory, which keeps it out.
            if role is not None or node.taken_in:
                self.rivals.append((f"{found.saved['name']} on {node.name}", stamp))
        elif mark == Mark.MISSING and ours and role is not None:
            self._ask(STAMP, found.node, role.id)

    def inventory(self, view: Watched, found: Inventory) -> bool:
        """A host read as a whole; False keeps it out, because somebody else manages machines there."""
        node = view.nodes[found.facts.node]
        for config in found.configs:
            mark, stamp = self._read(config)
            if mark != Mark.RIVAL or stamp is None:
                continue
            name = str(config.saved["name"])
            self.foreign.setdefault(node.pk, []).append((name, stamp))
            if config.uuid in view.roles or node.taken_in:
                self.rivals.append((f"{name} on {node.name}", stamp))
        return node.pk not in self.foreign

    def _read(self, found: Config) -> tuple[Mark, Stamp | None]:
        me = self._me or standing.identity(self.cluster_id)
        mark = stamps.read(me, found.uuid, found.stamps)
        if mark[0] != Mark.RIVAL:
            return mark
        # Another process may just have taken over: what is known of ourselves must be of now.
        self._me = standing.identity(self.cluster_id)
        return stamps.read(self._me, found.uuid, found.stamps)

    # -- what was left behind --
    def look(self, view: Watched, look: Look) -> None:
        """Definitions of VMs that belong to other nodes, and machines that would start with their host. On a
        host that joins, or is kept out, nothing is changed."""
        if not view.nodes[look.node].taken_in:
            return
        for uuid, seen in look.seen.items():
            role = view.roles.get(uuid)
            if role is None or (role.owner == look.node and not seen.autostart and not self._stale):
                continue
            if seen.autostart and not seen.incoming:
                self._ask(NO_AUTOSTART, look.node, role.id)
            left = role.owner != look.node and not seen.process and not seen.incoming
            left = left and not frozen(role.reason)
            if not left or role.busy or (role.changed_at is not None and look.began <= role.changed_at):
                self._stale.pop((look.node, uuid), None)
                continue
            since = self._stale.setdefault((look.node, uuid), look.began)
            owner = view.nodes.get(role.owner)
            answers = owner is not None and owner.state == NodeState.UP
            if answers and (look.began - since).total_seconds() >= STALE_S:
                # What was seen when it was kept: as long as that stays, it is kept without another order.
                seen_as = f"{seen.state} {seen.reason}; {role.state} on {owner.name if owner else ''}"
                self._ask(TIDY, look.node, role.id, [role.id, seen_as])
        for key in [key for key in self._stale if key[0] == look.node and key[1] not in look.seen]:
            del self._stale[key]

    def left_on(self, node: int) -> bool:
        """Whether a definition was left behind on a node, as its newest look shows."""
        return not self.down and any(key[0] == node for key in self._stale)

    def forget(self, node: int) -> None:
        """It fell silent: what was asked there is asked anew when it returns."""
        for key in [key for key in self._stale if key[0] == node]:
            del self._stale[key]
        self._asked = {
            key: at for key, at in self._asked.items() if not isinstance(key, tuple) or key[1] != node
        }

    def forget_looks(self) -> None:
        """Their times say nothing any more: what was left behind is seen twice anew."""
        self._stale.clear()

    def _ask(self, job: str, node: int, vm: int, words: object = None) -> None:
        now = clock().monotonic()
        if self.down or now - self._asked.get((job, node, vm), float("-inf")) < AGAIN_S[job]:
            return
        self._asked[job, node, vm] = now
        self.wakes.append((job, node, words or vm))

    # -- the end of a sweep --
    def write(self, tx: Change, view: Watched) -> None:
        """Record rivals, and wake the jobs after the commit."""
        if self.rivals:
            standing.rivals_seen(tx, self.rivals, ours=True)
        for node, found in self.foreign.items():
            standing.kept_out(tx, view.nodes[node], found)
        for (job, node), each in _together(self.wakes).items():
            tx.enqueue(job, node, each, queue="default")
        self.wakes, self.rivals, self.foreign = [], [], {}


def _together(wakes: Iterable[tuple[str, int, object]]) -> dict[tuple[str, int], list[object]]:
    """One message for each job and node."""
    found: dict[tuple[str, int], list[object]] = {}
    for job, node, each in wakes:
        found.setdefault((job, node), []).append(each)
    return found
