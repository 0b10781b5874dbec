"""Problems as data: a code and its parameters. The English sentence, with rule and fix, is derived here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


SENTENCES: dict[str, str] = {
    # who may, and what exists
    "not_allowed": "You are signed in as {role}; this needs the role {needed}. Ask an administrator.",
    "unknown_node": "There is no node called “{node}” in {cluster}. Choose one from the list.",
    "unknown_vm": "There is no virtual machine called “{vm}” in {cluster}.",
    "role_removed": "{vm} was removed from {cluster} by {who}. It was left on its host as it was; events and "
    "tasks keep its name.",
    "unknown_cluster": "There is no cluster called “{cluster}” here.",
    "unknown_operation": "There is no task {operation} in {cluster}.",
    "unknown_volume": "There is no volume called “{volume}” in {cluster}.",
    "unknown_event": "There is no event {event} in {cluster}.",
    "unknown_token": "There is no token {token} that you may see.",
    # tokens and what a program sends
    "no_token": "This needs a token, sent as “Authorization: Bearer …”. Make one under Tokens.",
    "token_unknown": "This token is not known here. Check that all of it was copied, or make a new one.",
    "token_expired": "The token “{token}” expired. Make a new one in the console under Tokens.",
    "token_revoked": "The token “{token}” was revoked. Make a new one in the console under Tokens.",
    "token_inactive": "The account of the token “{token}” is not active. Ask an administrator.",
    "token_above": "A token cannot have the role {role}: yours is {own}. Choose {own} or less.",
    "many_tries": "Too many wrong tokens came from {address}. Try again in a minute.",
    "unknown_address": "There is nothing at this address. /api/v1/openapi.json lists all that is.",
    "wrong_method": "{method} is not possible at this address; it takes {allowed}.",
    "unreadable": "What was sent is not valid JSON in UTF-8. Nothing was changed.",
    "too_large": "What was sent is larger than 1 MB, the most that is taken. Nothing was changed.",
    "wrong_value": "{where}: {message}.",
    "database_gone": "The console cannot reach its database, so it can show and order nothing. Start it.",
    "database_busy": "Another program has held the console's database for too long, so nothing was changed. "
    "Look for a copy or a tool that has it open, and try again.",
    "database_unmade": "The console's database lacks tables of this version. Run python manage.py prepare on "
    "the console's machine, and load this page again.",
    "disk_full": "The disk under the console's database is full, so nothing was changed. Make room there; "
    "what was ordered before goes on by itself.",
    "broken": "The console met an error of its own; the cause is in its log, at request {request}. Whether "
    "your order was taken stands in the operations.",
    # hosts and nodes
    "unknown_test": "There is no test {test} in {cluster}. It is forgotten after an hour: test again.",
    "test_not_ready": "{address} is not ready to be added: the test of its connection {why}.",
    "test_not_asking": "This test does not wait for a host key to be confirmed: it {why}.",
    "test_of_other": "This test was made for {what}. Test the connection again for what you want.",
    "host_key_other": "{address} does not show the host key {given}. It shows {offered}. Compare again on "
    "the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. If they differ, another machine answers.",
    "host_is_node": "The host that answers at {address} is already the node {node} of {cluster} (there it is "
    "{known}). A host is one node. Give another address, or evict {node} first.",
    "host_is_other": "Another host ({found}) answers at {address} than the one that is {node} ({known}). "
    "Give the address of {node}; a new machine is added as a new node.",
    "lost_node_owns_roles": "{node} owns {roles} and is {state}, so they cannot be moved. Remove them from "
    "the cluster first, which leaves them on the host as they are.",
    "node_owns_roles": "{node} owns {roles}. Move its roles to other nodes first, or remove them from the "
    "cluster.",
    "node_may_hold": "{node} is {state} and may still have a copy of {roles}. Wait until it answers and is "
    "seen without them, or remove them from the cluster.",
    "node_in_task": "“{what}” of {vm}, requested by {who}, is under way with {node}. Wait for its end, or "
    "cancel it.",
    "node_owns_disk": "{node} has the cluster disk {volume} online, which others need or on which roles lie. "
    "Stop that pool on {node} (virsh pool-destroy {volume}) when nothing on it runs.",
    "node_changed": "{node} changed while it was being evicted. Look at it again.",
    # one change at a time
    "vm_busy": "{vm} is held by another order: {what}, requested by {who}. Wait for it, or cancel it first.",
    "changed_meanwhile": "{vm} changed while this order was given. Look at it again.",
    "gone_meanwhile": "{what} left the cluster meanwhile. Nothing was changed.",
    "saved_in_cluster": "{vm} is saved. Its memory lies in {file}, which the cluster alone restores, so it "
    "would be lost. Start {vm} first.",
    # a cluster that is not managed from here now
    "stood_down": "{cluster} stands down and takes no orders. Reason: “{reason}” On its Management page an "
    "administrator resumes it, or takes over its management where it stood down by itself.",
    "take_over_needed": "{cluster} stood down by itself, because it may not be the only manager. Make sure "
    "that no other one runs, then take over management.",
    "nobody_to_take_over_from": "{cluster} is managed from here, and no other manager is known. Nothing was "
    "changed.",
    "foreign_host": "Virtual machines on {node} are managed from elsewhere: {vms}. Evict the host there, or "
    "take over management on the Management page of {cluster}.",
    # moving
    "source_not_up": "{node} is {state}; a planned move needs a running source.",
    "node_silent": "{node} is {state}; it takes orders again when it is up.",
    "target_is_source": "{vm} is already on {node}. Choose another node.",
    "target_not_up": "{node} is {state}; choose a node that is up.",
    "target_paused": "{node} is paused and takes no roles. Resume it, or choose another node.",
    "not_possible_owner": "{node} is not a possible owner of {vm}.",
    "no_memory": "{node} has {free} free and {vm} needs {needed}.",
    "volume_not_visible": "{node} does not see the volume {volume} on which {vm} lies.",
    "volume_unknown": "The disk of {vm} lies on no volume that {node} is known to share. Put it on one, or "
    "make a storage pool of the same name over its folder on every node.",
    "cluster_disk": "{vm} lies on the cluster disk {volume}, which only its owner {node} can use; virtual "
    "machines on a cluster disk move together with it.",
    "network_missing": "{node} has no network “{network}”, which {vm} uses.",
    "cpu_features_missing": "{node} lacks processor features that {vm} may use now: {features}.",
    "other_hypervisor": "{node} runs another hypervisor ({target}) than {source_node} ({source}).",
    "no_target": "No node can take {vm} now. {reasons}",
    "no_verb": "{node} cannot do that: its driver does not offer “{verb}”.",
    "wrong_state": "{vm} is {state}; {verb} needs it {needed}.",
    "held_elsewhere": "{vm} may still have a copy on {node}, which does not answer. It is started only when "
    "that copy is ruled out.",
    "saved_spent": "The saved state of {vm} was restored before and is never restored again.",
    "saved_on_host": "{vm} was saved by {node} itself; its state lies there. Start it first, then move it.",
    "save_no_volume": "{vm} lies on no volume that is known here, so there is no place to save its memory. "
    "{instead}",
    "save_no_files": "The volume {volume} of {vm} keeps no files, so there is no place to save its memory. "
    "{instead}",
    # cancelling
    "not_active": "This task ended before it could be cancelled: {state}.",
    "past_switch": "{vm} is past its switch-over; it can no longer be cancelled. You can move it back.",
    "cannot_cancel": "“{what}” cannot be cancelled once it has begun.",
    # forms
    "field": "{message}",
    "stale_form": "{who} changed {fields} since you opened this form. Your input is kept; decide per field.",
    "drift_gone": "The configuration of {vm} on its host changed again since you looked. Look at it afresh.",
    "no_drift": "{vm} is in step with its host; there is nothing to accept.",
    "nothing_changed": "Nothing was changed: every field has the value that it had.",
    "repeated_key": "This key was sent before with another order: {what}, at {at}. Nothing was changed. "
    "Order again with a new key; a page loaded anew has one.",
    "token_made": "This very order made the token “{token}” before. Its secret was in that answer and cannot "
    "be shown again. If it was lost, revoke the token and make another with a new key.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    code: str
    params: Mapping[str, object] = field(default_factory=dict)
    severity: Severity = Severity.ERROR
    field: str = ""  # the form field it belongs to, where there is one

    @property
    def sentence(self) -> str:
        return SENTENCES[self.code].format_map(dict(self.params))


def finding(code: str, severity: Severity = Severity.ERROR, **params: object) -> Finding:
    """Shorthand: `finding("vm_busy", vm="web01", what=…, who=…)`."""
    return Finding(code, params, severity)


def field_finding(name: str, message: str) -> Finding:
    """A form field that broke a rule; `message` names the rule and the fix."""
    return Finding("field", {"message": message}, Severity.ERROR, name)
