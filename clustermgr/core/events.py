"""The catalogue of events: code -> sentence. Rows keep code and parameters; the words are made when shown."""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: dict[str, str] = {
    # orders and their ends
    "move_ordered": "{kind} of {vm} from {source} to {target} was ordered.",
    "move_started": "{kind} of {vm} from {source} to {target} began.",
    "move_done": "{vm} now runs on {target} ({kind} from {source}, {took}).",
    "move_rehomed": "{vm} now belongs to {target}; it is {state}.",
    "move_left_definition": "{vm} now belongs to {target} ({kind} from {source}, {took}). Its definition is "
    "still on {source}: {reason}",
    "move_failed": "{kind} of {vm} to {target} failed: {reason}",
    "move_cancelled": "{kind} of {vm} to {target} was cancelled; {vm} runs on {source}.",
    "cancel_requested": "Cancelling {what} of {vm} was requested.",
    "order_given": "{what} of {vm} was ordered.",
    "order_failed": "{what} of {vm} failed: {reason}",
    "order_cancelled": "{what} of {vm} was cancelled.",
    "vm_started": "{vm} was started on {node}.",
    "vm_resumed": "{vm} was resumed on {node}.",
    "vm_restored": "{vm} was restored from its saved state on {node}.",
    "vm_stopped": "{vm} was shut down on {node}.",
    "vm_turned_off": "{vm} was turned off on {node}.",
    "vm_saved": "{vm} was saved on {node}.",
    # failures and recoveries
    "vm_failed": "{vm} failed on {node}: {reason}",
    "vm_restarted": "{vm} was restarted on {node} after it failed.",
    "vm_failed_over": "{vm} was started on {node} after it failed on {source}.",
    "vm_left_failed": "{vm} stays failed: {reason}",
    "vm_held": "{vm} is held: {reason}",
    "recovery_decided": "{vm} will be {what}: {reason}",
    "recovery_blocked": "{vm} is not restarted: {reason}",
    "vm_running_twice": "{vm} runs on {nodes} at the same time. Nothing is done by itself; decide which copy "
    "stays and turn the other off on its host.",
    # seen on the hosts
    "vm_stopped_outside": "{vm} was stopped on {node}, not by the cluster; it stays off.",
    "vm_started_outside": "{vm} was started on {node}, not by the cluster.",
    "vm_paused_outside": "{vm} was paused on {node}, not by the cluster.",
    "vm_moved_outside": "{vm} was moved from {source} to {node}, not by the cluster.",
    "vm_missing": "{vm} is no longer known on {node}.",
    "vm_out_of_sight": "{vm} is not on {node} any more. {silent} It is not started while that is so.",
    "vm_unmonitored": "{vm} is unmonitored: {node} does not answer.",
    "vm_monitored": "{vm} is monitored again; it is {state} on {node}.",
    "drift_found": "The configuration of {vm} on {node} differs from the cluster's copy: {fields}.",
    "drift_gone": "The configuration of {vm} is in step with its host again.",
    "configuration_accepted": "The host's configuration of {vm} was accepted here: {fields}.",
    "settings_changed": "Settings of {vm} were changed: {fields}.",
    # nodes, volumes, the cluster
    "node_up": "{node} is up.",
    "node_joining": "{node} answers again and is joining.",
    "node_down": "{node} is down: {reason}",
    "node_agent_down": "The machine of {node} answers, but nothing of its hypervisor is seen: {reason}",
    "volume_lost": "{node} no longer reaches the volume {volume}.",
    "volume_found": "{node} reaches the volume {volume} again.",
    "storage_silent": "The storage of {node} does not answer; its volumes count as not reachable: {reason}",
    "volume_declared": "The volume {volume} was declared a {kind}.",
    "volume_not_declared": "The volume {volume} counts as a disk of one node: {node} does not say that it is "
    "shared. Declare it on the Storage page if every node shows the same files there.",
    "stood_down": "The cluster stands down: {reason}",
    "resumed": "The cluster is managed again.",
    "taken_over": "Management of the cluster was taken over (epoch {epoch}); its virtual machines are "
    "stamped anew.",
    "second_manager": "The cluster stands down, because it is not the only manager: {reason}",
    "foreign_host": "{node} is kept out. Machines there carry the stamp of another manager: {vms}.",
    "restored": "The cluster stands down after its database was put back: {reason}",
    "stale_definition_removed": "A definition of {vm} that was left behind on {node} was removed; it "
    "belongs to {owner}.",
    "stale_definition_kept": "{node} still has a definition of {vm}, which belongs to {owner}: {reason}",
    "autostart_forbidden": "{vm} was set to start with {node}; that was switched off: the cluster starts it.",
    "cluster_created": "The cluster {cluster} was created.",
    "cluster_changed": "Properties of the cluster were changed: {fields}.",
    "node_added": "{node} was added to the cluster.",
    "node_evicted": "{node} ({address}) was evicted from the cluster.",
    "access_changed": "How {node} is reached was changed: {address}, signed in to with {means}.",
    "vm_added": "{vm} was made highly available on {node}.",
    "role_removed": "{vm} was removed from the cluster; it stays on {node} as it is.",
    "role_removed_stamped": "{vm} was removed from the cluster; on {node} it may run, and it carries "
    "the stamp of this manager: {reason}",
    "vm_not_added": "A virtual machine called “{name}” on {node} was not added: the cluster has a role of "
    "that name. Rename it on its host first.",
}


def sentence(code: str, params: Mapping[str, object]) -> str:
    """The event in words. A code of a newer version, or a missing parameter, still gives readable text."""
    text = SENTENCES.get(code, code.replace("_", " "))
    return text.format_map(_Lenient(params))


class _Lenient(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"
