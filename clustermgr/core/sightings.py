"""What the hosts show of a VM -> what the cluster says of it: state, owner, and what happened outside.

Judged by level, not by edge: the same look judged twice gives the same answer, and a lost look is made good
by the next. VMs that an operation holds are not judged here: its steps observe them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from clustermgr.core.health import SILENT_STATES
from clustermgr.core.picture import Picture
from clustermgr.core.readings import Look, Seen
from clustermgr.core.states import Level, VmState, Wanted

STOPPED = frozenset({VmState.OFF, VmState.SAVED})
NOT_WATCHED = frozenset({VmState.UNMONITORED, VmState.UNKNOWN})
TWICE, RAN_TWICE = "Running on ", "It ran on two nodes at once"
#: A node that answers and is not looked at for so long counts as one that is silent.
LOOKED_FOR_S = 30.0


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """The row of a VM, as far as looks are compared with it. `saved_state`: a file that may be restored;
    `elsewhere`: nodes besides its owner that may have a copy."""

    id: int
    uuid: str
    name: str
    owner: int
    state: str
    reason: str
    wanted: str
    changed_at: datetime | None
    started_at: datetime | None = None
    started_seen: bool = False
    saved_state: bool = False
    busy: bool = False
    elsewhere: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class NodeFacts:
    id: int
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Happening:
    code: str
    level: Level = Level.INFO
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be written. `spent`: the saved state must never be restored; `decide`: wake the engine;
    `started_seen`: nobody knows when it started, it ran already at `started_at`."""

    state: VmState
    reason: str
    owner: int
    wanted: str
    started_at: datetime | None
    happenings: tuple[Happening, ...] = ()
    spent: bool = False
    decide: bool = False
    started_seen: bool = False


def frozen(reason: str) -> bool:
    """Whether a VM with this reason was seen running twice: nothing is done with it by itself."""
    return reason.startswith((TWICE, RAN_TWICE))


def judge(vm: RoleFacts, picture: Picture, nodes: Mapping[int, NodeFacts]) -> Judgement | None:
    """What to write of one VM, or None when nothing is new or nothing may be said yet."""
    if vm.busy:
        return None
    judged = _judge(vm, picture, nodes)
    return judged if judged is None or not frozen(vm.reason) else _thaw(vm, judged, nodes)


def _thaw(vm: RoleFacts, judged: Judgement, nodes: Mapping[int, NodeFacts]) -> Judgement | None:
    """One that ran twice stays frozen until a look at the one node that may have it shows it there; one that
    failed then, until an administrator starts it."""
    left = set(vm.elsewhere) - {judged.owner}
    ended, follows = judged.state == VmState.FAILED, judged.owner != vm.owner
    if judged.reason.startswith(TWICE) or not (left or ended or follows):
        return judged
    if left:
        reason = f"{RAN_TWICE}, and {_names(left, nodes)} may still run it. Nothing is done by itself."
    elif ended:
        reason = f"{RAN_TWICE}, then it ended. Nothing is done by itself: look at its disk, then start it."
    else:
        reason = vm.reason
    same = (judged.state, reason, judged.owner, judged.wanted) == (vm.state, vm.reason, vm.owner, vm.wanted)
    return None if same else replace(judged, reason=reason, decide=False)


def _judge(vm: RoleFacts, picture: Picture, nodes: Mapping[int, NodeFacts]) -> Judgement | None:
    owner = nodes[vm.owner]
    if owner.state in SILENT_STATES:
        return _unmonitored(vm, owner)
    look = picture.looks.get(vm.owner)
    # A look begun before the row last changed may show the world before that change.
    if look is None or (vm.changed_at is not None and look.began <= vm.changed_at):
        return None
    here = look.seen.get(vm.uuid)
    others = picture.running_on(vm.uuid) - {vm.owner}
    if here is not None and here.incoming:
        return None
    if here is not None and here.process:
        twice = {n for n in others if picture.at_once(vm.uuid, vm.owner, n)}
        if twice:
            return _twice(vm, here.state, here.started_at, {vm.owner} | twice, nodes)
        return _seen(vm, here, owner, look.began)
    if others:
        return _elsewhere(vm, picture, nodes, others)
    if _may_have_moved(vm, here):
        unseen = picture.unseen(vm.uuid, vm.owner, nodes)
        if picture.arriving(vm.uuid) or _looked_for(vm, here, picture, nodes, unseen):
            return None
        if unseen and _left(vm, here):
            return _out_of_sight(vm, here, owner, _names(unseen, nodes))
    return _missing(vm, owner) if here is None else _seen(vm, here, owner, look.began)


def _elsewhere(
    vm: RoleFacts, picture: Picture, nodes: Mapping[int, NodeFacts], others: set[int]
) -> Judgement | None:
    """No running copy on its owner, and one or more on other nodes."""
    if len(others) == 1:
        other = next(iter(others))
        if not picture.came_after(vm.uuid, vm.owner, other):
            return None
        return _moved(vm, picture.looks[other], nodes[other], nodes[vm.owner])
    twice = {n for n in others for m in others - {n} if picture.at_once(vm.uuid, n, m)}
    return _twice(vm, VmState.UNKNOWN, None, twice, nodes) if twice else None


def _looked_for(
    vm: RoleFacts, here: Seen | None, picture: Picture, nodes: Mapping[int, NodeFacts], unseen: set[int]
) -> bool:
    """Whether a node that answers is about to be looked at, so that nothing can be said yet."""
    if not any(nodes[node].state not in SILENT_STATES for node in unseen):
        return False
    return not _left(vm, here) or picture.missed_s(vm.uuid, vm.owner) < LOOKED_FOR_S


def _left(vm: RoleFacts, here: Seen | None) -> bool:
    """It is gone from its owner, or went on elsewhere: a node that nobody sees may run it. What its owner
    still shows, off by itself, ended there. An old move of one that is off since is none."""
    return here is None or (here.moved_away and vm.state not in STOPPED)


def _may_have_moved(vm: RoleFacts, here: Seen | None) -> bool:
    """Whether its end here may be the end of a move that nobody told us: then look everywhere first."""
    if here is None or here.moved_away:
        return True
    wanted = vm.wanted == Wanted.RUNNING and vm.state not in STOPPED
    return wanted and here.state != VmState.FAILED and not here.on_purpose


def _keep(vm: RoleFacts) -> Judgement:
    state, seen = VmState(vm.state), vm.started_seen
    return Judgement(state, vm.reason, vm.owner, vm.wanted, vm.started_at, started_seen=seen)


def _unmonitored(vm: RoleFacts, owner: NodeFacts) -> Judgement | None:
    if vm.state == VmState.UNMONITORED:
        return None
    last = "nothing" if vm.state == VmState.UNKNOWN else vm.state.replace("_", " ")
    reason = f"Last known: {last} on {owner.name}."
    state, seen = VmState.UNMONITORED, vm.started_seen
    return Judgement(state, reason, vm.owner, vm.wanted, vm.started_at, started_seen=seen)


def _twice(
    vm: RoleFacts, state: VmState, started: datetime | None, where: set[int], nodes: Mapping[int, NodeFacts]
) -> Judgement | None:
    names = _names(where, nodes)
    reason = f"{TWICE}{names} at once. Nothing is done by itself; turn one copy off on its host."
    if vm.reason == reason and vm.state == state:
        return None
    found = Happening("vm_running_twice", Level.CRITICAL, {"nodes": names})
    return Judgement(state, reason, vm.owner, vm.wanted, started, (found,), spent=vm.saved_state)


def _names(where: set[int], nodes: Mapping[int, NodeFacts]) -> str:
    return " and ".join(sorted(nodes[node].name for node in where if node in nodes))


def start(vm: RoleFacts, here: Seen, began: datetime) -> tuple[datetime, bool]:
    """When a VM that runs was started; True: nobody knows, it ran already at that moment. Hypervisors do not
    tell, and one that nobody watched for a while may have been started anew meanwhile."""
    if here.started_at is not None:
        return here.started_at, False
    if vm.started_at is None or vm.state in (VmState.FAILED, *STOPPED, *NOT_WATCHED):
        return began, True
    return vm.started_at, vm.started_seen


def _moved(vm: RoleFacts, look: Look, node: NodeFacts, owner: NodeFacts) -> Judgement:
    there = look.seen[vm.uuid]
    started, seen = there.started_at or look.began, there.started_at is None
    found = [Happening("vm_moved_outside", Level.WARNING, {"source": owner.name})]
    wanted = Wanted.RUNNING if vm.wanted == Wanted.OFF else vm.wanted
    return Judgement(
        there.state,
        "",
        node.id,
        wanted,
        started,
        tuple(found),
        spent=vm.saved_state,
        started_seen=seen,
    )


def _missing(vm: RoleFacts, owner: NodeFacts) -> Judgement | None:
    reason = f"{owner.name} no longer knows it. The cluster's copy of its configuration is kept."
    if vm.reason == reason or (vm.state == VmState.FAILED and vm.wanted == Wanted.RUNNING):
        return None
    if vm.wanted == Wanted.RUNNING:
        return _failed(vm, reason)
    found = () if vm.state == VmState.UNKNOWN else (Happening("vm_missing", Level.WARNING),)
    return Judgement(VmState.UNKNOWN, reason, vm.owner, vm.wanted, None, found)


def _out_of_sight(vm: RoleFacts, here: Seen | None, owner: NodeFacts, names: str) -> Judgement | None:
    """It may run where nobody can look now: neither failed nor off, and nothing is started."""
    left = "no longer knows it" if here is None else "says that it was moved away"
    silent = f"{names} may have it and {'do' if ' and ' in names else 'does'} not answer."
    reason = f"{owner.name} {left}. {silent}"
    if vm.reason == reason and vm.state == VmState.UNKNOWN:
        return None
    found = Happening("vm_out_of_sight", Level.WARNING, {"silent": silent})
    happenings = () if vm.state == VmState.UNKNOWN else (found,)
    return Judgement(VmState.UNKNOWN, reason, vm.owner, vm.wanted, None, happenings)


def _failed(vm: RoleFacts, reason: str) -> Judgement:
    found = Happening("vm_failed", Level.ERROR, {"reason": reason})
    return Judgement(
        VmState.FAILED,
        reason,
        vm.owner,
        vm.wanted,
        None,
        (found,),
        decide=vm.wanted == Wanted.RUNNING,
    )


def _seen(vm: RoleFacts, here: Seen, owner: NodeFacts, began: datetime) -> Judgement | None:
    judged = _process(vm, here, owner, began) if here.process else _no_process(vm, here, owner)
    changed = (judged.state, judged.reason, judged.wanted) != (vm.state, vm.reason, vm.wanted)
    restarted = _apart(judged.started_at, vm.started_at)
    return judged if changed or restarted or judged.spent or judged.happenings else None


def _apart(new: datetime | None, old: datetime | None) -> bool:
    # A host that computes the start from an uptime wavers by a second.
    return new is not None and (old is None or abs((new - old).total_seconds()) > 5)


def _process(vm: RoleFacts, here: Seen, owner: NodeFacts, began: datetime) -> Judgement:
    started, seen = start(vm, here, began)
    found: list[Happening] = []
    wanted = vm.wanted
    if vm.state in STOPPED or (vm.state in NOT_WATCHED and vm.wanted == Wanted.OFF):
        found.append(Happening("vm_started_outside", Level.WARNING))
        wanted = Wanted.RUNNING if vm.wanted == Wanted.OFF else vm.wanted
    elif vm.state in (VmState.UNMONITORED, VmState.FAILED):
        found.append(Happening("vm_monitored", Level.INFO, {"state": here.state.replace("_", " ")}))
    if here.state in (VmState.PAUSED, VmState.PAUSED_CRITICAL) and vm.state == VmState.RUNNING:
        found.append(Happening("vm_paused_outside", Level.WARNING))
    same = here.state == vm.state and not frozen(vm.reason)
    reason = vm.reason if same else _paused_reason(here, owner)
    return Judgement(
        here.state,
        reason,
        vm.owner,
        wanted,
        started,
        tuple(found),
        spent=vm.saved_state,  # a copy ran: the memory in the file is older than the disk now
        started_seen=seen,
    )


def _paused_reason(here: Seen, owner: NodeFacts) -> str:
    if here.state == VmState.PAUSED_CRITICAL:
        return here.reason or f"Stopped by a disk error on {owner.name}."
    return f"Paused on {owner.name}." if here.state == VmState.PAUSED else ""


def _no_process(vm: RoleFacts, here: Seen, owner: NodeFacts) -> Judgement:
    if vm.state == VmState.FAILED and vm.wanted == Wanted.RUNNING:
        return _keep(vm)  # it failed and was not started since: how its host words that now is no news
    state = VmState.SAVED if vm.saved_state and here.state == VmState.OFF else here.state
    if vm.state in STOPPED:
        if here.state == VmState.FAILED:
            return _keep(vm)  # an old end, from before the order that stopped it
        return Judgement(state, vm.reason if state == vm.state else "", vm.owner, vm.wanted, None)
    if here.state == VmState.FAILED or (vm.wanted == Wanted.RUNNING and not _stopped_on_purpose(here)):
        return _failed(vm, f"It ended by itself on {owner.name} ({here.reason or 'nobody stopped it'}).")
    if vm.wanted == Wanted.OFF:
        return Judgement(state, "", vm.owner, vm.wanted, None)
    found = Happening("vm_stopped_outside", Level.WARNING)
    wanted = Wanted.OFF if vm.wanted == Wanted.RUNNING else vm.wanted
    reason = f"Stopped on its host: {here.reason or here.state.value}."
    return Judgement(state, reason, vm.owner, wanted, None, (found,))


def _stopped_on_purpose(here: Seen) -> bool:
    return here.on_purpose or here.state == VmState.SAVED
