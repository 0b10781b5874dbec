"""Markers on shared volumes: what tells two copies of one database apart (safety.md 7.2).

Each new watch of a cluster is a session with a number. Its marker is a file that only one copy of this
installation can have made; who sees one of a newer session, or of his own session by another's hand, knows
that a copy is at work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

NUMBERS = r"(?P<cluster>\d{1,15})-(?P<epoch>\d{1,15})-(?P<session>\d{1,15})"
NAME = re.compile(rf"clustermgr-(?P<manager>.+)-{NUMBERS}")
#: For so long a cluster waits with its acts for the claim of its session: a volume that does not answer must
#: not keep it from being managed for ever.
WAITS = timedelta(seconds=30)


class ClaimState(StrEnum):
    OPEN = "open"  # the intent is written; whether its marker stands is not known yet
    HELD = "held"  # the marker was made, and read back through another node
    IMPOSSIBLE = "impossible"  # no marker now: nobody would notice a copy. It is tried again


class Word(StrEnum):
    """What one marker says to the session that reads it."""

    OURS = "ours"
    OLDER = "older"  # of a session before, or of an epoch before: it may go
    COPY = "copy"  # another copy of this installation is at work
    UNCLEAR = "unclear"  # it is being made
    SIBLING = "sibling"  # this manager's, of another cluster that shares the volume
    FOREIGN = "foreign"  # another manager's


@dataclass(frozen=True, slots=True)
class Marker:
    """`nonce`: who made it, where two make one of the same name; -1 while it is being made."""

    manager: str
    cluster: int
    epoch: int
    session: int
    nonce: int

    @property
    def age(self) -> tuple[int, int]:
        return self.epoch, self.session


@dataclass(frozen=True, slots=True)
class Session:
    """This installation's own. `nonces`: node -> what a marker that was made through it carries. A node each,
    since one with an unmounted path would else read its own file back as another's."""

    manager: str
    cluster: int
    epoch: int
    session: int
    nonces: Mapping[str, int]

    @property
    def age(self) -> tuple[int, int]:
        return self.epoch, self.session

    @property
    def name(self) -> str:
        """Of its marker. The cluster's number is the same in every copy of the database."""
        return f"clustermgr-{self.manager}-{self.cluster}-{self.epoch}-{self.session}"


def parse(name: str, nonce: int) -> Marker | None:
    """None for a file that is no marker."""
    found = NAME.fullmatch(name)
    if found is None:
        return None
    cluster, epoch, session = (int(found[part]) for part in ("cluster", "epoch", "session"))
    return Marker(found["manager"], cluster, epoch, session, nonce)


def read(own: Session, found: Marker) -> Word:
    """What a marker means. Only COPY stands a cluster down."""
    if found.manager != own.manager:
        return Word.FOREIGN
    if found.cluster != own.cluster:
        return Word.SIBLING
    if found.age != own.age:
        return Word.COPY if found.age > own.age else Word.OLDER
    if found.nonce < 0:
        return Word.UNCLEAR
    return Word.OURS if found.nonce in own.nonces.values() else Word.COPY


def newest_copy(own: Session, listed: Mapping[str, int]) -> Marker | None:
    """Of the markers on a volume (name -> nonce) the newest one of another copy."""
    found = [marker for name, nonce in listed.items() if (marker := parse(name, nonce)) is not None]
    copies = [marker for marker in found if read(own, marker) == Word.COPY]
    return max(copies, key=lambda marker: marker.age, default=None)


def read_back(own: Session, node: str, listed: Mapping[str, int]) -> bool:
    """Whether `node` lists the session's own marker as another node has made it. A dir pool over an unmounted
    path makes one that only its own node sees."""
    nonce = listed.get(own.name)
    return any(made == nonce for maker, made in own.nonces.items() if maker != node)


def older(own: Session, listed: Mapping[str, int]) -> list[str]:
    """The names of this cluster's markers that a later session has made useless."""
    found = [(name, parse(name, nonce)) for name, nonce in listed.items()]
    return [name for name, marker in found if marker is not None and read(own, marker) == Word.OLDER]


def next_session(before: tuple[int, int] | None, epoch: int) -> int:
    """The number after (epoch, session). It begins anew with each epoch, so that of two copies which take
    over at once both want the same name, and one alone gets it."""
    return before[1] + 1 if before is not None and before[0] == epoch else 1


def waits(state: str, since: datetime, now: datetime) -> bool:
    """Whether orders and automatic acts wait for the claim."""
    return state == ClaimState.OPEN and now - since < WAITS
