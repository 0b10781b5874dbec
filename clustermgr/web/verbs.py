"""What can be ordered on a role: one registry for actions pane and dialogs. The action checks again."""

from __future__ import annotations

from dataclasses import dataclass, field

from clustermgr.core.findings import finding
from clustermgr.core.states import NodeState, VmState
from clustermgr.core.words import KINDS, state_word
from clustermgr.models import Vm
from clustermgr.queries.rows import VmRow, vm_rows
from clustermgr.web.http import Here

RUNS = frozenset({VmState.RUNNING})
HAS_MEMORY = frozenset({VmState.RUNNING, VmState.PAUSED})
STOPPABLE = HAS_MEMORY | {VmState.PAUSED_CRITICAL}
STARTABLE = frozenset({VmState.OFF, VmState.SAVED, VmState.FAILED, VmState.PAUSED})
MOVABLE = frozenset({VmState.RUNNING, VmState.OFF, VmState.SAVED, VmState.FAILED})
#: For maintenance alone: a source that does not answer is said in the action's own words.
PLANNED = frozenset({"live_migrate", "quick_migrate"})


@dataclass(frozen=True, slots=True)
class Verb:
    """`confirm`: 0 at once, 1 a plain dialog, 2 a dialog with consequences and a checkbox, 3 the name is
    typed (ui.md 3.4)."""

    name: str
    label: str
    icon: str
    url: str
    group: str
    states: frozenset[str] = frozenset()
    needed: str = ""
    confirm: int = 1
    query: str = ""
    right: str = ""
    locks: bool = True  # refused while another order holds the role
    needs_up: bool = True
    danger: bool = False
    title: str = ""
    body: str = ""
    consequence: str = ""
    extra: str = ""  # a choice in the dialog: "forced"

    @property
    def verb(self) -> str:
        """Its name in the table of rights."""
        return self.right or self.name

    @property
    def path(self) -> tuple[str, ...]:
        return (self.name,) if self.url == "power" else ()


VERBS: tuple[Verb, ...] = (
    Verb(
        "start",
        "Start",
        icon="start",
        url="power",
        group="power",
        states=STARTABLE,
        needed="off, saved, failed or paused",
        confirm=0,
        title="Start {vm}?",
        body="{vm} starts on {node}. A saved state is restored.",
    ),
    Verb(
        "shut_down",
        "Shut down…",
        icon="shutdown",
        url="power",
        group="power",
        states=RUNS,
        needed="running",
        title="Shut down {vm}?",
        body="The guest on {node} is asked to shut down. It stays off until somebody starts it.",
        extra="forced",
    ),
    Verb(
        "save",
        "Save…",
        icon="saved",
        url="power",
        group="power",
        states=HAS_MEMORY,
        needed="running or paused",
        title="Save {vm}?",
        body="The memory of {vm} is written to its volume and it stops. A start restores it where it was.",
    ),
    Verb(
        "turn_off",
        "Turn off…",
        icon="power",
        url="power",
        group="power",
        states=STOPPABLE,
        needed="running or paused",
        confirm=2,
        danger=True,
        title="Turn off {vm}?",
        body="{vm} on {node} loses its power. It stays off until somebody starts it.",
        consequence="Turns the power off without asking the guest. Data loss may occur.",
    ),
    Verb(
        "live_migrate",
        "Live migrate…",
        icon="migrating",
        url="move",
        group="move",
        states=RUNS,
        needed="running",
        query="kind=live_migration",
    ),
    Verb(
        "quick_migrate",
        "Quick migrate…",
        icon="quick",
        url="move",
        group="move",
        states=RUNS,
        needed="running",
        query="kind=quick_migration",
        confirm=2,
        consequence="{vm} stops for as long as its memory is written to the volume and read again.",
    ),
    Verb(
        "move",
        "Move…",
        icon="move",
        url="move",
        group="move",
        states=MOVABLE,
        needed="running, off or saved",
        query="kind=move",
        consequence="Turn off cuts the power without asking the guest. Data loss may occur.",
    ),
    Verb(
        "change_settings",
        "Settings…",
        icon="settings",
        url="settings",
        group="configure",
        locks=False,
        needs_up=False,
    ),
    Verb(
        "refresh",
        "Refresh configuration…",
        icon="refresh",
        url="refresh",
        group="configure",
        right="view",
        locks=False,
        needs_up=False,
    ),
    Verb(
        "remove_role",
        "Remove…",
        icon="remove",
        url="remove",
        group="configure",
        confirm=3,
        needs_up=False,
        danger=True,
    ),
)
BY_NAME = {verb.name: verb for verb in VERBS}


@dataclass(frozen=True, slots=True)
class Offer:
    """A verb for one role and one person: where it leads, or why not now."""

    verb: Verb
    href: str
    reason: str = ""

    @property
    def enabled(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Offers:
    power: list[Offer] = field(default_factory=list)
    move: list[Offer] = field(default_factory=list)
    configure: list[Offer] = field(default_factory=list)

    @property
    def all(self) -> list[Offer]:
        return [*self.power, *self.move, *self.configure]


def offers(here: Here, vm: VmRow, node_state: str) -> Offers:
    """Every verb, in the order of the pane; none is left out, each disabled one has its reason."""
    found = Offers()
    for verb in VERBS:
        href = here.url(verb.url, vm.id, *verb.path) + (f"?{verb.query}" if verb.query else "")
        getattr(found, verb.group).append(Offer(verb, href, why_not(here, verb, vm, node_state)))
    return found


def why_not(here: Here, verb: Verb, vm: VmRow, node_state: str) -> str:
    """The first reason against a verb in words, or nothing."""
    if not here.actor.may(verb.verb):
        return f"Your role ({here.actor.role or 'none'}) does not allow this."
    if here.cluster.stood_down_at is not None and verb.verb != "view":
        return f"{here.cluster.name} stands down: {here.cluster.stood_down_reason}"
    if verb.locks and vm.operation is not None:
        return f"Held by “{KINDS[vm.operation.kind].lower()}”, requested by {vm.operation.requested_by}."
    if verb.needs_up and node_state != NodeState.UP:
        if verb.name in PLANNED:
            return finding("source_not_up", node=vm.owner, state=state_word(node_state)).sentence
        return f"{vm.owner} is {state_word(node_state)}; this needs a node that is up."
    if verb.states and vm.state not in verb.states:
        return f"{vm.name} is {state_word(vm.state)}; this needs it {verb.needed}."
    return ""


def beforehand(here: Here, verb: Verb, vm: Vm) -> str:
    """What its dialog says instead of an order that would be refused. A role in order costs no query."""
    if here.cluster.stood_down_at is None and vm.owner.state == NodeState.UP and vm.state in verb.states:
        return ""
    return why_not(here, verb, vm_rows([vm.pk])[0], vm.owner.state)
