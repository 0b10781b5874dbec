"""One worker's hold on one operation: its connections, what it saw, and how its steps wait.

A step is a short function `(work) -> seconds until the next step`, or None when the operation is settled.
It looks at the hosts first and then acts, so that it can be repeated, and continued by another worker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from clustermgr.actions import leases, standing
from clustermgr.core.progress import figures
from clustermgr.drivers.contract import (
    DomainSight,
    DriverError,
    Handle,
    HandleState,
    HostDriver,
    HostUnreachable,
    Job,
    TooLate,
)
from clustermgr.drivers.permits import permitted
from clustermgr.jobs.hosts import DEADLINE_S, connect_to
from clustermgr.models import Cluster, Holder, Node, Operation
from clustermgr.ports import clock

#: How often a running job is sampled: four times a second.
SAMPLE_S = 0.25
#: How often a host that does not answer is asked again.
SILENT_S = 1.0
#: A copy that does not end, or a call that cannot be called off: then the VM is held (safety.md 1.4).
HELD_AFTER_S = 60.0
#: For how long a silent host is waited for while nothing was ordered there yet.
PATIENCE_S = 15.0

Step = Callable[["Work"], float | None]


class Trouble(Exception):
    """A stage of an operation cannot be done; what was tried is over, and was seen to be over."""

    def __init__(self, sentence: str, raw: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.raw = raw
        self.held = False  # the node may come to have a copy yet: it stays a possible holder


class Occupied(Trouble):
    """A node has a copy that this order did not make: it may be the one in use, and is left alone."""


class Held(Exception):
    """What was ordered on `node` can be neither used nor called off: only an administrator can go on."""

    def __init__(self, node: Node, sentence: str, raw: str = "") -> None:
        super().__init__(sentence)
        self.node = node
        self.sentence = sentence
        self.raw = raw


class Unbegun(Trouble):
    """A node fell silent before anything was ordered there: nothing of it can come to run."""


class StandsDown(Exception):
    """The cluster stood down by itself: a host is told nothing that would begin or end anything new."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Work:
    """Lives as long as one worker holds one operation. Rows are read afresh before every step."""

    def __init__(self, operation_id: int, owner: str) -> None:
        self.operation_id = operation_id
        self.owner = owner
        self.operation: Operation = leases.owned(operation_id, owner)
        self.handle: Handle | None = None
        self._shown: dict[str, Any] = {}
        self.span = (0.0, 100.0)  # the part of the whole bar that the present stage fills
        self.anew()
        #: A call of this stage may still wait on its host: its answer was lost, or another worker made it.
        self.doubt = self.operation.step in ("called", "spent", "resume")
        self.asked_again_at = 0.0  # seconds into the wait for a guest to shut down
        #: Of the present step: nodes that did not answer, and whether it can only wait, perhaps for long.
        self.silent: dict[int, Node] = {}
        self.stalled = False
        self._hosts: dict[int, HostDriver] = {}
        self._look: object = None
        self._look_since = 0.0
        self._kept_at = 0.0

    def anew(self) -> None:
        """Another stage begins: nothing was ordered in it."""
        self.ordered = False  # this worker has made the call of the present stage
        self.tries = 0  # how often
        self.handle = None
        self.doubt = False

    def refresh(self) -> None:
        self.operation = leases.owned(self.operation_id, self.owner)
        self.silent, self.stalled = {}, False
        if self._shown:
            self.operation.progress = self._shown  # the row is up to a second older than what was shown

    # -- hosts --

    def host(self, node: Node) -> HostDriver:
        """This work's own connection. Raises HostUnreachable."""
        if node.pk not in self._hosts:
            try:
                self._hosts[node.pk] = connect_to(node, deadline=DEADLINE_S)
            except HostUnreachable:
                self.silent[node.pk] = node
                raise
        return self._hosts[node.pk]

    def sight(self, node: Node) -> tuple[bool, DomainSight | None]:
        """(answered, the VM there or None). A silent host is not an error here: it is a sight, too."""
        try:
            return True, self.host(node).sight(self.operation.vm.uuid)
        except HostUnreachable:
            self.forget(node)
            return False, None

    def first_sight(self, node: Node) -> DomainSight | None:
        """The VM there, before anything was ordered. Raises HostUnreachable, and Unbegun after a while."""
        answered, sight = self.sight(node)
        if answered:
            return sight
        if self.same_for(f"{node.pk} is silent") < PATIENCE_S:
            raise HostUnreachable(f"{node.name} does not answer.")
        raise Unbegun(f"{node.name} does not answer; nothing was begun there.")

    def forget(self, node: Node) -> None:
        self.silent[node.pk] = node
        host = self._hosts.pop(node.pk, None)
        if host is not None:
            with contextlib.suppress(DriverError):  # it is dead already
                host.close()

    def close(self) -> None:
        for host in list(self._hosts.values()):
            with contextlib.suppress(DriverError):
                host.close()
        self._hosts.clear()

    # -- what was seen, and for how long --

    def same_for(self, look: object) -> float:
        """Seconds for which `look` has been equal to what it is now, as this worker saw it."""
        now = clock().monotonic()
        if look != self._look:
            self._look, self._look_since = look, now
        return now - self._look_since

    def met(self, difficulty: str) -> float:
        """Seconds since this order met a difficulty of this name first, with whichever worker."""
        now, met = clock().now(), self.operation.memory.get("met", {})
        if difficulty not in met:
            met = {**met, difficulty: now.isoformat()}
            leases.renew(self.operation, memory={**self.operation.memory, "met": met})
        return (now - datetime.fromisoformat(met[difficulty])).total_seconds()

    def caller(self) -> tuple[str, str]:
        """Our own call: ("none" | "running" | "ended", the reason when it failed). "none": nobody knows what
        became of it; its answer was lost, or another worker made it."""
        if self.handle is None:
            return "none", ""
        state, reason = self.handle.poll()
        return {HandleState.RUNNING: "running", HandleState.LOST: "none"}.get(state, "ended"), reason

    # -- rows --

    def note(self, reason: str) -> None:
        """Say what this operation waits for; written only when it changes."""
        if self.operation.wait_reason != reason[:300]:
            leases.step(self.operation, wait_reason=reason[:300])

    def must_manage(self) -> None:
        """To be asked before anything is begun, written down or done. Raises StandsDown."""
        down = Cluster.objects.filter(pk=self.operation.cluster_id, stood_down_at__isnull=False)
        for reason in down.filter(stood_down_by="").values_list("stood_down_reason", flat=True):
            raise StandsDown(reason)

    def call(self, act: Callable[[], Any], *, ends: bool = False) -> Any:
        """Make a mutating call on a host, with enough of the lease left for its deadline (safety.md 3). It
        is not made after the lease, however long it takes until it is made.

        `ends`: it only brings to its end what goes on there, as a cluster that stood down may. Raises
        StandsDown.
        """
        if not ends:
            self.must_manage()
        leases.secure(self.operation)
        try:
            with permitted(self.operation.held_until - leases.SPARE_S):
                return act()
        except TooLate as late:
            # After any pause the hosts are looked at again: whoever owns it next begins with that.
            leases.release(self.operation_id, self.owner)
            raise leases.LeaseLost from late

    def attempt(self, act: Callable[[], Any], *, ends: bool = False) -> Any:
        """Like `call`, for stages that end in Trouble when the host says no. A silent host is no answer."""
        try:
            return self.call(act, ends=ends)
        except HostUnreachable:
            raise
        except DriverError as error:
            raise Trouble(error.sentence, error.raw) from error

    def refused(self, act: Callable[[], Any], *, ends: bool = False) -> str:
        """Make a call; why the host said no, or nothing. Raises HostUnreachable."""
        try:
            self.attempt(act, ends=ends)
        except Trouble as trouble:
            return trouble.sentence
        return ""

    def progress(self, job: Job, phase: str) -> None:
        """Show a job's figures at once; keep them, and the lease, once a second."""
        self._shown = shown = figures(job, self.operation.progress, phase=phase, span=self.span)
        now = clock().monotonic()
        keep = now - self._kept_at >= 1.0
        if keep:
            self._kept_at = now
        leases.show_progress(self.operation, shown, keep=keep)

    def other_copies(self, node: Node) -> list[tuple[Node, bool]]:
        """Nodes besides `node` that are not ruled out: (node, it answers and has a process).

        Possible holders, silent or not; and the nodes of this order, where somebody may have started it by
        hand since it was seen off: those block by what they show, not by silence.
        """
        op = self.operation
        holders = {row.node for row in Holder.objects.filter(vm=op.vm).select_related("node")}
        others = {other for other in (op.vm.owner, op.source, op.target) if other is not None}
        found = []
        for other in sorted((holders | others) - {node}, key=lambda each: each.pk):
            answered, sight = self.sight(other)
            if (sight is not None and sight.has_process) or (not answered and other in holders):
                found.append((other, answered))
        return found

    def stamp(self) -> str:
        """What goes into every definition that we write; "" leaves a stamp as it is, while another manager
        may be the right one."""
        op = self.operation
        down = op.cluster.stood_down_at is not None
        return "" if down else standing.identity(op.cluster_id).stamp(op.vm.uuid)

    def cleared(self, node: Node, *, undefine: bool) -> bool:
        """See to it that `node` has no process of the VM and, with `undefine`, no definition, which however
        runs nothing: the watch has it removed if the host refuses now. True when seen without a process.
        Raises HostUnreachable, Held."""
        uuid, said = self.operation.vm.uuid, ""
        words = f"The copy of {self.operation.vm.name} on {node.name} does not end"
        sight = self.host(node).sight(uuid)
        if sight is not None and sight.has_process:
            said = self.refused(lambda: self.host(node).destroy(uuid))
            sight = self.host(node).sight(uuid)
        if sight is not None and sight.has_process:
            if self.met(f"a copy on {node.pk}") >= HELD_AFTER_S:
                raise Held(node, f"{words}. {said}".strip())
            self.note(f"{words} yet. {said}".strip())
            return False
        if sight is not None and undefine:
            self.refused(lambda: self.host(node).undefine(uuid))
        return True
