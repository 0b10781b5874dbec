"""Whose configuration is read next on one host: the cluster's own machines by turns, each other one once and
again when it changed, so that another manager's stamp on it is found. Calls nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clustermgr.core.readings import Seen

#: Every configuration is read once in 60 s; those of a small host more often, two in a second at most.
CONFIGS_S = 60.0
CONFIGS_LEAST_S = 10.0
#: A machine that does not belong here is read again after this long even if nothing changed.
OTHERS_S = 300.0
AT_ONCE, OTHERS_AT_ONCE = 3, 2


@dataclass(slots=True)
class Turns:
    """`seen`: what the newest look at the host showed."""

    seen: Mapping[str, Seen] = field(default_factory=dict)
    _at: dict[str, float] = field(default_factory=dict)
    _others: dict[str, tuple[float, object]] = field(default_factory=dict)  # when read, and as what

    def due(self, now: float, wanted: frozenset[str]) -> list[str]:
        """The few that are read in this round. `wanted`: the machines that the cluster has on this host."""
        return [*self._wanted_due(now, wanted), *self._others_due(now, wanted)]

    def _wanted_due(self, now: float, wanted: frozenset[str]) -> list[str]:
        period = min(CONFIGS_S, max(CONFIGS_LEAST_S, len(wanted) / 2))
        at = self._at
        if at.keys() != wanted:
            names = sorted(wanted)
            for index, uuid in enumerate(names):
                at.setdefault(uuid, now + period * index / len(names))
            for uuid in at.keys() - wanted:
                del at[uuid]
        due = sorted((when, uuid) for uuid, when in at.items() if when <= now)[:AT_ONCE]
        for _, uuid in due:
            at[uuid] = now + period
        return [uuid for _, uuid in due]

    def _others_due(self, now: float, wanted: frozenset[str]) -> list[str]:
        others = self.seen.keys() - wanted
        for uuid in self._others.keys() - others:
            del self._others[uuid]
        found: list[str] = []
        for uuid in sorted(others):
            seen = self.seen[uuid]
            looks = (seen.name, seen.state)
            read_at, as_what = self._others.get(uuid, (float("-inf"), None))
            # What arrives is still being written; who sent it wrote its stamp there.
            if not seen.incoming and (as_what != looks or now - read_at >= OTHERS_S):
                self._others[uuid] = (now, looks)
                found.append(uuid)
            if len(found) == OTHERS_AT_ONCE:
                break
        return found
