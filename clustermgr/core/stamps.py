"""The manager's stamp on each virtual machine, and what a stamp that was read means (safety.md 7.2).

Two managers of one host would start a machine twice. Each writes its id and epoch on what it manages; who
reads another's, or its own with a higher epoch, knows that it is not alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Stamp:
    """`vm`: the UUID of the machine it was written for; a clone carries that of its original."""

    manager: str
    epoch: int
    vm: str

    @property
    def text(self) -> str:
        return f"manager={self.manager} epoch={self.epoch} vm={self.vm}"


@dataclass(frozen=True, slots=True)
class Identity:
    """This installation. `overruled`: managers that an administrator took over from, up to which epoch."""

    manager: str
    epoch: int
    overruled: Mapping[str, int]

    def stamp(self, vm: str) -> str:
        """What a machine of ours carries."""
        return Stamp(self.manager, self.epoch, vm).text


class Mark(StrEnum):
    OURS = "ours"
    MISSING = "missing"  # none, a clone's, an older one of ours, or one that was overruled: to be written
    RIVAL = "rival"  # another manager, or a newer twin of this one


def parse(text: str) -> Stamp | None:
    """None for what is no stamp of this form."""
    words = dict(part.split("=", 1) for part in text.split() if "=" in part)
    try:
        return Stamp(words["manager"], int(words["epoch"]), words["vm"].lower())
    except (KeyError, ValueError):
        return None


def read(own: Identity, vm: str, texts: Iterable[str | None]) -> tuple[Mark, Stamp | None]:
    """What the stamps on one machine (its definition's and its process's; None: there is none of the two)
    say together. The worst counts; with RIVAL comes the stamp that is in the way."""
    found = [_mark(own, vm, parse(text)) for text in texts if text is not None]
    for mark in (Mark.RIVAL, Mark.MISSING):
        for each, stamp in found:
            if each == mark:
                return mark, stamp
    return Mark.OURS, None


def _mark(own: Identity, vm: str, stamp: Stamp | None) -> tuple[Mark, Stamp | None]:
    if stamp is None or stamp.vm != vm:
        return Mark.MISSING, None
    if stamp.epoch > _known(own, stamp):
        return Mark.RIVAL, stamp
    ours = stamp.manager == own.manager and stamp.epoch == own.epoch
    return (Mark.OURS if ours else Mark.MISSING), stamp


def was_ours(own: Identity, vm: str, text: str | None) -> bool:
    """Whether this stamp says that the cluster itself put the definition there: by an epoch of this manager,
    or by one that it took over from."""
    stamp = parse(text or "")
    return stamp is not None and stamp.vm == vm and stamp.epoch <= _known(own, stamp)


def _known(own: Identity, stamp: Stamp) -> int:
    """The epoch up to which this manager is ourselves, or one that an administrator took over from."""
    return own.epoch if stamp.manager == own.manager else own.overruled.get(stamp.manager, 0)


def rivals(found: Iterable[Stamp]) -> dict[str, int]:
    """Manager -> the highest epoch seen."""
    highest: dict[str, int] = {}
    for stamp in found:
        highest[stamp.manager] = max(stamp.epoch, highest.get(stamp.manager, 0))
    return highest
