"""After a restore nobody knows where a machine went since the backup: until the watch has looked at a node
twice, it is a possible holder of every machine of its cluster. One mark on the node says so."""

from __future__ import annotations

from clustermgr.actions import reaper
from clustermgr.actions._ledger import Change
from clustermgr.core.readings import Look
from clustermgr.models import Holder, Node
from clustermgr.queries.first_looks import not_looked_at
from clustermgr.queries.watch import Watched

ENGINE = "clustermgr.jobs.engine.decide"
#: A call from before the restore may still be at work on the host: two looks, at least this long apart.
TWICE_S = 2.0


class FirstLooks:
    """What one watcher saw of nodes that carry the mark. Filled during a sweep, emptied by `write`."""

    def __init__(self) -> None:
        self._first: dict[int, Look] = {}
        self._over: dict[int, set[str]] = {}  # node looked at twice -> UUIDs that it showed with a process

    def __bool__(self) -> bool:
        return bool(self._over)

    def look(self, view: Watched, look: Look) -> None:
        """A look at a node of the cluster, marked or not."""
        since = view.nodes[look.node].restored_at
        if since is None:
            self._first.pop(look.node, None)
            return
        if look.began <= since:
            return
        first = self._first.setdefault(look.node, look)
        if (look.began - first.began).total_seconds() >= TWICE_S:
            self._over[look.node] = _processes(first) | _processes(look)

    def write(self, tx: Change, view: Watched) -> None:
        """The node is a holder of what it showed, and of nothing else that its rows do not name."""
        for node in Node.objects.select_for_update().filter(pk__in=self._over):
            shown = [view.roles[uuid].id for uuid in self._over[node.pk] if uuid in view.roles]
            holders = (Holder(vm_id=vm, node=node, since=tx.now, because="restored") for vm in shown)
            Holder.objects.bulk_create(holders, ignore_conflicts=True)
            tx.update(node, restored_at=None)
        if self._over and not not_looked_at(tx.cluster_id):
            reaper.all_seen(tx.cluster_id)
            tx.enqueue(ENGINE, tx.cluster_id, queue="engine")
        self._over = {}


def _processes(look: Look) -> set[str]:
    return {uuid for uuid, seen in look.seen.items() if seen.process}
