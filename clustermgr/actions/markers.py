"""What one watcher remembers of the markers on its cluster's volumes: its own, those of copies, old ones.

Only finds; jobs make and delete them on the hosts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from clustermgr.actions import claims, standing
from clustermgr.actions._ledger import Change
from clustermgr.actions.claims import CLAIM
from clustermgr.core.markers import ClaimState, Marker, Session, Word, parse, read
from clustermgr.core.readings import VolumesSeen
from clustermgr.models import Claim, Node
from clustermgr.ports import clock

log = logging.getLogger(__name__)
SWEEP = "clustermgr.jobs.claims.sweep"
#: What was asked of a job is asked again after this long, when it is still needed.
CLAIM_S = {ClaimState.OPEN: 5.0, ClaimState.IMPOSSIBLE: 60.0}
SWEEP_S = 60.0
READ_S = 30.0
#: Its own marker, not seen by any node for so long, is gone: it is made anew. Longer than the cache of an NFS
#: client, which may show an old folder for a minute.
VANISHED_S = 180.0


@dataclass(slots=True)
class Markers:
    """Filled during a sweep, emptied by `write` at its end."""

    cluster_id: int
    copies: list[tuple[str, Marker]] = field(default_factory=list)  # on which volume
    wakes: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    anew: bool = False  # the next session begins: a higher epoch, or the marker has vanished
    _own: Session | None = None
    _state: str = ""
    _epoch: int = 0
    _down: bool = False
    _gave_up: bool = False  # it stood down by itself
    _read_at: float = float("-inf")
    _seen_at: float = float("-inf")
    _asked: dict[object, float] = field(default_factory=dict)
    _foreign: set[tuple[str, str]] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.copies or self.wakes or self.anew)

    def refresh(self, *, anew: bool) -> None:
        """The session's row, and what is due. `anew`: rows changed."""
        now = clock().monotonic()
        if anew or now - self._read_at >= READ_S:
            self._read_at = now
            self._read(now)
        if self._own is None or self._down:
            return
        if self._state == ClaimState.HELD:
            self.anew = self._own.epoch < self._epoch or now - self._seen_at >= VANISHED_S
        else:
            self._ask(CLAIM, CLAIM_S[ClaimState(self._state)], self.cluster_id)

    def _read(self, now: float) -> None:
        row = Claim.objects.select_related("cluster").filter(cluster=self.cluster_id).first()
        if row is None:
            self._own = None
            return
        own, known = claims.session(row), self._own
        if known is None or own.age != known.age or row.state != self._state:
            self._seen_at = now
        self._own, self._state, self._epoch = own, row.state, standing.installation().epoch
        self._down = row.cluster.stood_down_at is not None
        self._gave_up = self._down and not row.cluster.stood_down_by

    def volumes(self, node: Node, found: VolumesSeen, *, news: bool) -> None:
        """The markers that one node sees. `news`: its volumes are not what they were."""
        if news and self._state == ClaimState.IMPOSSIBLE:
            self._asked.pop(CLAIM, None)
        if self._own is None:
            return
        for volume, marker in _listed(found):
            word = read(self._own, marker)
            if word == Word.OURS:
                self._seen_at = clock().monotonic()
            elif word == Word.COPY:
                self._copy(volume, marker)
            elif word == Word.OLDER and self._state == ClaimState.HELD and not self._down:
                self._ask((SWEEP, volume), SWEEP_S, node.pk, volume)
            elif word == Word.FOREIGN and (volume, marker.manager) not in self._foreign:
                self._foreign.add((volume, marker.manager))
                log.info("%s also has a marker of another manager (%s)", volume, marker.manager)

    def _copy(self, volume: str, marker: Marker) -> None:
        if self._gave_up and standing.knows(self.cluster_id, marker):
            return
        # A job may just have committed what it makes the marker with: judge by what is known now.
        self._read(clock().monotonic())
        if self._own is not None and read(self._own, marker) == Word.COPY:
            self.copies.append((volume, marker))

    def _ask(self, what: object, again_s: float, *args: object) -> None:
        now = clock().monotonic()
        if now - self._asked.get(what, float("-inf")) >= again_s:
            self._asked[what] = now
            self.wakes.append((what[0] if isinstance(what, tuple) else str(what), args))

    def write(self, tx: Change) -> None:
        """Stand down where a copy was seen, begin the next session, and wake the jobs after the commit."""
        for volume, marker in self.copies[:1]:
            standing.copy_seen(tx, volume, marker)
        if self.anew and not self.copies:
            claims.begin(self.cluster_id, self._epoch)
            self._read_at = float("-inf")
        for job, args in self.wakes:
            tx.enqueue(job, *args, queue="default")
        self.copies, self.wakes, self.anew = [], [], False


def _listed(found: VolumesSeen) -> Iterator[tuple[str, Marker]]:
    for volume in found.volumes:
        for name, nonce in volume.markers:
            if (marker := parse(name, nonce)) is not None:
                yield volume.name, marker
