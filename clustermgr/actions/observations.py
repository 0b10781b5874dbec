"""One sweep: readings of hosts and pulses of nodes -> rows. Compares in memory; writes only what changed, in
one transaction. Holds what one watcher remembers of one cluster; starts no threads and calls no host."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from clustermgr import notices
from clustermgr.access import CLUSTER
from clustermgr.actions import clusters, seen_hosts, seen_vms, watching
from clustermgr.actions._ledger import change
from clustermgr.actions.first_looks import FirstLooks
from clustermgr.actions.markers import Markers
from clustermgr.actions.marks import Marks
from clustermgr.actions.volumes import find_disks
from clustermgr.core import health
from clustermgr.core.health import SILENT_STATES, Word
from clustermgr.core.picture import Picture
from clustermgr.core.readings import Config, Facts, Inventory, Load, Look, Reading, VolumesSeen
from clustermgr.core.sightings import Judgement, NodeFacts, RoleFacts, judge
from clustermgr.core.states import NodeState, VmState
from clustermgr.models import Node, Vm
from clustermgr.ports import clock
from clustermgr.queries.watch import Leftover, Watched, version_of, watched

log = logging.getLogger(__name__)

#: A node that answers again is Up by then even if one of its VMs still cannot be told.
COMPARED_WITHIN_S = 15.0
#: A former holder must be seen without the VM twice, at least this long apart.
GONE_S = 2.0
#: A clock that falls behind by more than this within a moment was set back.
SET_BACK_S = 2.0


class ClusterGone(Exception):
    """The cluster was removed: there is nothing left to watch."""


@dataclass(slots=True)
class Sweep:
    """What is to be written at the end of one sweep."""

    states: list[tuple[Node, NodeState, str]] = field(default_factory=list)
    inventories: list[Inventory] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)
    volumes: list[VolumesSeen] = field(default_factory=list)
    configs: list[Config] = field(default_factory=list)
    judged: list[tuple[RoleFacts, Judgement]] = field(default_factory=list)
    up: list[Node] = field(default_factory=list)
    unheld: list[Leftover] = field(default_factory=list)
    held: list[tuple[int, int]] = field(default_factory=list)  # VM, node

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    def nodes(self) -> set[int]:
        """Every node of which something is to be written."""
        read: list[Facts | VolumesSeen | Config] = [*self.facts, *self.volumes, *self.configs]
        read += [found.facts for found in self.inventories]
        of = {reading.node for reading in read} | {left.node for left in self.unheld}
        return (
            of
            | {judged.owner for _, judged in self.judged}
            | {node.pk for node, *_ in self.states}
            | {node.pk for node in self.up}
            | {node for _, node in self.held}
        )

    def without(self, gone: set[int]) -> None:
        """Drop what was seen of nodes that were evicted since. They owned no role."""
        self.states = [each for each in self.states if each[0].pk not in gone]
        self.up = [node for node in self.up if node.pk not in gone]
        self.inventories = [found for found in self.inventories if found.facts.node not in gone]
        self.facts = [found for found in self.facts if found.node not in gone]
        self.volumes = [found for found in self.volumes if found.node not in gone]
        self.configs = [found for found in self.configs if found.node not in gone]
        self.judged = [each for each in self.judged if each[1].owner not in gone]
        self.unheld = [left for left in self.unheld if left.node not in gone]
        self.held = [each for each in self.held if each[1] not in gone]


class Observer:
    """Everything that a watcher knows of one cluster between two sweeps."""

    def __init__(self, cluster_id: int) -> None:
        self.cluster_id = cluster_id
        self.picture = Picture()
        self.view = Watched(version=-1)
        self.words: dict[int, Word] = {}
        self.troubles: dict[int, str] = {}  # why a node's host could not be looked at
        self._held: dict[int, datetime] = {}
        self._volumes: dict[int, VolumesSeen] = {}
        self._configs: dict[str, tuple[Any, ...]] = {}
        self._marks = Marks(cluster_id)
        self._first_looks = FirstLooks()
        self._markers = Markers(cluster_id)
        self._gone: dict[int, datetime] = {}  # holders -> first look that did not show them
        self._time: tuple[datetime, float] | None = None  # of the last refresh, by both clocks
        self.settled: set[int] = set()  # nodes whose VMs were just let go by an operation: look there soon

    # -- what is known --
    def refresh(self) -> bool:
        """Read rows again if anything changed since; True when it did."""
        version = version_of(self.cluster_id)
        if version is None:
            raise ClusterGone
        if self._clock_was_set_back():
            self._begin_anew()
        self._marks.refresh(anew=version != self.view.version)
        self._markers.refresh(anew=version != self.view.version)
        if version == self.view.version:
            return False
        busy_before, now = self.view.busy(), clock().now()
        self._held |= dict.fromkeys(busy_before, now)
        self.view = watched(self.cluster_id, version, self._held, now)
        for evicted in self.picture.looks.keys() - self.view.nodes.keys():
            self.picture.forget(evicted)
        busy = self.view.busy()
        for vm_id in busy_before.keys() - busy.keys():
            self.settled |= {role.owner for role in self.view.roles.values() if role.id == vm_id}
        return True

    def _clock_was_set_back(self) -> bool:
        now, passed = clock().now(), clock().monotonic()
        before, self._time = self._time, (now, passed)
        return before is not None and (now - before[0]).total_seconds() < passed - before[1] - SET_BACK_S

    def _begin_anew(self) -> None:
        """Looks are compared by their times: those from before the clock was set back say nothing now."""
        log.warning("the clock was set back: every node of cluster %s is looked at anew", self.cluster_id)
        self.picture, self._held, self._gone = Picture(), {}, {}
        self._marks.forget_looks()
        self.view = Watched(version=-1)

    def wanted_configs(self, node: int) -> frozenset[str]:
        """VMs whose configuration is to be read on a node."""
        return frozenset(role.uuid for role in self.view.by_owner.get(node, ()))

    def heard(self, nodes: Iterable[int], *, rows: bool) -> None:
        """These nodes answered just now; `rows`: also write it down."""
        now = clock().now()
        known = [self.view.nodes[node] for node in nodes if node in self.view.nodes]
        for node in known:
            node.observed_at = now
        if rows and known:
            watching.nodes_heard([node.pk for node in known])

    # -- one sweep --
    def observe(self, readings: Iterable[Reading], words: Mapping[int, Word] | None = None) -> None:
        """Compare, then write. `words`: what the pulses say of the nodes; absent ones say what they said."""
        self.refresh()
        self.words |= words or {}
        sweep = Sweep()
        fallen = self._node_states(sweep)
        looked, loads = self._sort(readings, sweep)
        self._judge(sweep, looked | fallen)
        self._copies(sweep, looked)
        self._leftovers(sweep, looked)
        self._rise(sweep)
        if sweep or self._marks or self._first_looks or self._markers:
            self._write(sweep)
            self.refresh()
        self._figures(loads)

    def _node_states(self, sweep: Sweep) -> set[int]:
        fallen = set()
        for node in self.view.nodes.values():
            word = self.words.get(node.pk, Word.UNHEARD)
            if word in (Word.SILENT, Word.REFUSES):
                self.picture.forget(node.pk)
                self._marks.forget(node.pk)
            state = health.node_state(node.state, word)
            if state is not None:
                trouble = self.troubles.get(node.pk, "")
                sweep.states.append((node, state, health.why(state, node.observed_at, trouble)))
                node.state, node.state_since = state, clock().now()
            if node.state in SILENT_STATES:
                fallen.add(node.pk)
        return fallen

    def _sort(self, readings: Iterable[Reading], sweep: Sweep) -> tuple[set[int], list[Load]]:
        looked: set[int] = set()
        loads: list[Load] = []
        for reading in readings:
            node = self.view.nodes.get(reading.facts.node if isinstance(reading, Inventory) else reading.node)
            if node is None or node.state in SILENT_STATES:
                continue
            if isinstance(reading, Inventory):
                # Read once more before it was taken in: its roles may have left since, and stay away.
                if not node.taken_in and self._marks.inventory(self.view, reading):
                    sweep.inventories.append(reading)
            elif isinstance(reading, Look):
                if reading.began > clock().now():
                    continue  # from before the clock was set back
                self.picture.add(reading)
                self._marks.look(self.view, reading)
                self._first_looks.look(self.view, reading)
                looked.add(node.pk)
            elif isinstance(reading, Load):
                loads.append(reading)
            elif isinstance(reading, VolumesSeen):
                news = self._volumes.get(node.pk) != reading
                self._markers.volumes(node, reading, news=news)
                if news:
                    sweep.volumes.append(reading)
            elif isinstance(reading, Facts):
                sweep.facts.append(reading)
            else:
                self._marks.config(self.view, reading)
                if self._config_is_news(reading):
                    sweep.configs.append(reading)
        return looked, loads

    def _config_is_news(self, found: Config) -> bool:
        role = self.view.roles.get(found.uuid)
        if role is None or role.busy or role.owner != found.node:
            return False
        if role.changed_at is not None and found.began <= role.changed_at:
            return False
        if role.id in self.view.drifted:
            return True  # the page says when the host was read last
        version = self.view.config_versions[found.uuid]
        key = (found.node, version, found.fingerprint, found.saved, found.running)
        if self._configs.get(found.uuid) == key:
            return False
        self._configs[found.uuid] = key
        return True

    def _judge(self, sweep: Sweep, looked: set[int]) -> None:
        nodes = {node.pk: NodeFacts(node.pk, node.name, node.state) for node in self.view.nodes.values()}
        for owner in looked:
            for role in self.view.by_owner.get(owner, ()):
                if (judged := judge(role, self.picture, nodes)) is not None:
                    sweep.judged.append((role, judged))

    def _copies(self, sweep: Sweep, looked: set[int]) -> None:
        """Where a copy is seen that the cluster did not put there, finished or not: that node is a holder."""
        for node in looked:
            look = self.picture.looks[node]
            for seen in look.seen.values():
                role = self.view.roles.get(seen.uuid) if seen.process else None
                if role is None or role.busy or node == role.owner or node in role.elsewhere:
                    continue
                if role.changed_at is None or look.began > role.changed_at:
                    sweep.held.append((role.id, node))

    def _leftovers(self, sweep: Sweep, looked: set[int]) -> None:
        # Twice, some seconds apart: a call that nobody got an answer to may still be at work (safety.md 1.3).
        for left in self.view.leftovers:
            if left.node not in looked:
                continue
            look = self.picture.looks[left.node]
            seen = look.seen.get(left.uuid)
            if look.began <= left.since or (seen is not None and seen.process):
                self._gone.pop(left.id, None)
            elif (look.began - self._gone.setdefault(left.id, look.began)).total_seconds() >= GONE_S:
                sweep.unheld.append(left)

    def _rise(self, sweep: Sweep) -> None:
        # Joining ends when the node's VMs were compared: its look is in the picture, and judged above.
        taken_in = {inventory.facts.node for inventory in sweep.inventories}
        judged = {facts.id for facts, _ in sweep.judged}
        for node in self.view.nodes.values():
            if node.state != NodeState.JOINING or self.words.get(node.pk) != Word.ANSWERS:
                continue
            known = node.pk in self.picture.looks and (node.taken_in or node.pk in taken_in)
            open_ = [
                role
                for role in self.view.by_owner.get(node.pk, ())
                if role.state == VmState.UNMONITORED and not role.busy and role.id not in judged
            ]
            patient = abs((clock().now() - node.state_since).total_seconds()) < COMPARED_WITHIN_S
            if known and not ((open_ or self._marks.left_on(node.pk)) and patient):
                sweep.up.append(node)

    def _write(self, sweep: Sweep) -> None:
        nodes = self.view.nodes
        with change(self.cluster_id) as tx:
            # Locked until the end: an eviction comes wholly before this sweep or wholly after it.
            named = sweep.nodes()
            here = Node.objects.select_for_update().filter(pk__in=named).values_list("pk", flat=True)
            sweep.without(named - set(here))
            for node, state, reason in sweep.states:
                seen_hosts.node_state(tx, node, state, reason)
            for inventory in sweep.inventories:
                clusters.take_in(tx, nodes[inventory.facts.node], inventory, {}, CLUSTER)
            for facts in sweep.facts:
                seen_hosts.facts(tx, nodes[facts.node], facts)
            for volumes in sweep.volumes:
                seen_hosts.volumes(tx, nodes[volumes.node], volumes)
            if sweep.volumes:
                find_disks(tx)
            seen_vms.judgements(tx, nodes, sweep.judged)
            if sweep.held:
                seen_vms.held(tx, sweep.held)
            if sweep.configs:
                self._configurations(tx, sweep.configs)
            if sweep.unheld:
                seen_vms.unheld(tx, [(left.id, left.vm) for left in sweep.unheld])
            for node in sweep.up:
                seen_hosts.node_state(tx, node, NodeState.UP)
            self._marks.write(tx, self.view)
            self._first_looks.write(tx, self.view)
            self._markers.write(tx)
        self._volumes |= {volumes.node: volumes for volumes in sweep.volumes}

    def _configurations(self, tx: Any, configs: list[Config]) -> None:
        found = {config.uuid: config for config in configs}
        rows = Vm.objects.select_related("owner", "drift").filter(cluster=self.cluster_id, uuid__in=found)
        # Locked: a role leaves the cluster wholly before this or wholly after it.
        for vm in rows.defer("definition").select_for_update(of=("self",)):
            if vm.owner_id == found[vm.uuid].node:
                seen_vms.configuration(tx, vm, found[vm.uuid])

    def _figures(self, loads: list[Load]) -> None:
        """Processor and memory figures: no version, one round trip, and a hint to the browsers."""
        moved = [load for load in loads if seen_hosts.load_moved(self.view.nodes[load.node], load)]
        rows = [row for load in loads for row in self._vm_figures(load)]
        if moved or rows:
            with transaction.atomic():
                seen_hosts.loads(moved)
                seen_hosts.vm_loads(rows)
            for load in moved:
                node = self.view.nodes[load.node]
                node.cpu_percent, node.memory_used_mib = load.cpu_percent, load.memory_used_mib
            subjects = [f"node:{load.node}" for load in moved] + [f"vm:{row[2]}" for row in rows]
            notices.publish([notices.Changed(self.cluster_id, self.view.version, tuple(subjects))])

    def _vm_figures(self, load: Load) -> Iterator[tuple[float | None, int | None, int]]:
        for role in self.view.by_owner.get(load.node, ()):
            old, new = self.view.figures[role.uuid], load.vms.get(role.uuid, (None, None))
            step = 1 + (old[1] or 0) * seen_hosts.MEMORY_STEP
            if seen_hosts.moved(old[0], new[0], seen_hosts.CPU_STEP) or seen_hosts.moved(
                old[1], new[1], step
            ):
                self.view.figures[role.uuid] = new
                yield (*new, role.id)
