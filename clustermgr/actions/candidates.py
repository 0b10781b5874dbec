"""Testing a host before it becomes a node, or before a node is reached in another way. Calls no host.

A test is a row and a message; its answer is recorded when a job has it. Rows are forgotten after an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction

from clustermgr.access import Actor
from clustermgr.actions import _key_material as keys
from clustermgr.actions._ledger import audit
from clustermgr.actions.rights import require
from clustermgr.core import addresses, host_keys, names
from clustermgr.core.findings import Finding, field_finding, finding
from clustermgr.core.readings import Probed
from clustermgr.core.states import CandidateState
from clustermgr.errors import ActionRefused
from clustermgr.models import Candidate, Cluster, Node, NodeAccess
from clustermgr.ports import clock, runner
from clustermgr.queries.membership import taken

#: Names of the secrets that a host's connection can be given.
SECRETS = keys.SECRETS

TEST = "clustermgr.jobs.candidates.probe"
KEPT = timedelta(hours=1)
#: A test without an answer for this long lost its worker or its message.
STALE = timedelta(seconds=40)
#: What the answer to "is it ready?" says of each state.
WHY = {
    CandidateState.TESTING: "is still under way",
    CandidateState.KEY_TO_CONFIRM: "waits for its host key to be confirmed",
    CandidateState.REFUSED: "found what forbids it; see its findings",
    CandidateState.READY: "came to a good end",
    CandidateState.USED: "was used already",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody typed. `secrets`: see `_key_material.SECRETS`; `keep`: those of the node or of the test
    `before` instead; `expected`: a fingerprint that they know, or "any"; `unprotected`: they know what
    qemu+tcp means."""

    address: str
    name: str = ""
    migration_address: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    expected: str = ""
    unprotected: bool = False
    keep: bool = False
    before: Candidate | None = field(default=None, repr=False)


def begin(*, actor: Actor, cluster: Cluster, wish: Wish, node: Node | None = None) -> Candidate:
    """Begin a test; a job answers it. `node`: test another way to this node instead of a new host.

    Raises ActionRefused: 403, 422 (per field).
    """
    verb = "change_access" if node is not None else "test_connection"
    require(actor, verb, node or cluster)
    secrets = keys.tidy({} if wish.keep else wish.secrets)
    place, found = _place(wish, secrets)
    name = node.name if node is not None else wish.name.strip() or (place.host.split(".")[0] if place else "")
    if node is None and place is not None and (wrong := names.trouble_of_node(name)):
        found.append(field_finding("name", wrong))
    if place is not None and not found:
        found = taken(cluster, name=name, driver=place.driver, address=place.text, besides=node)
    if found or place is None:
        raise _refuse(actor, cluster, verb, name or wish.address, *found, status=422)
    sealed, means = keys.sealed(secrets), keys.means(secrets, place.transport)
    if wish.keep:
        sealed, means = _kept(wish, node, place) or (sealed, means)
    now = clock().now()
    with transaction.atomic():
        row = Candidate.objects.create(
            cluster=cluster,
            node=node,
            name=name,
            driver=place.driver,
            address=place.text,
            migration_address=wish.migration_address.strip(),
            credentials=sealed,
            means=means,
            expected=wish.expected.strip(),
            sent_at=now,
            asked_by=actor.name,
            user=actor.user,
            created_at=now,
        )
        _audit(actor, row, "test_connection", means=means)
        _send(row)
    return row


def confirm_host_key(*, actor: Actor, candidate: Candidate, fingerprint: str) -> Candidate:
    """The host's key is the right one: pin it and test on. Confirming the pinned key again changes nothing.

    Raises ActionRefused: 403, 409 (nothing to confirm), 422 (the host did not show this key).
    """
    require(actor, "test_connection", candidate)
    line = host_keys.chosen(candidate.offered, fingerprint.strip())
    if line and line == candidate.host_key:
        return candidate
    if candidate.state != CandidateState.KEY_TO_CONFIRM:
        found = finding("test_not_asking", why=WHY[CandidateState(candidate.state)])
        raise _refuse(actor, candidate.cluster, "confirm_host_key", candidate.name, found)
    if not line or fingerprint.strip() == host_keys.ANY:
        raise _refuse(
            actor,
            candidate.cluster,
            "confirm_host_key",
            candidate.name,
            _other_key(candidate, candidate.offered, fingerprint),
            status=422,
        )
    with transaction.atomic():
        if _again(candidate, host_key=line):
            _audit(actor, candidate, "confirm_host_key", fingerprint=host_keys.fingerprint(line))
            _send(candidate)
    candidate.refresh_from_db()
    return candidate


def record(candidate_id: int, round: int, seen: Probed) -> None:
    """What a job found. The answer of an earlier round, or a second one of the same, changes nothing."""
    with transaction.atomic():
        same = Candidate.objects.filter(pk=candidate_id, round=round, state=CandidateState.TESTING)
        row = same.select_for_update().first()
        if row is None:
            return
        row.offered = host_keys.ranked(seen.host_keys) or row.offered
        row.findings = [dict(each) for each in seen.findings]
        row.facts = dict(seen.shown)
        if not row.host_key and seen.host_keys and seen.facts is None:
            _key(row)
        else:
            _outcome(row, seen)
        row.save(update_fields=RECORDED)


RECORDED = ("state", "offered", "findings", "facts", "host_uuid", "round", "host_key", "sent_at")


def keep() -> None:
    """Forget old tests, and send those again whose worker or message was lost."""
    now = clock().now()
    Candidate.objects.filter(created_at__lt=now - KEPT).delete()
    lost = Candidate.objects.filter(state=CandidateState.TESTING, sent_at__lt=now - STALE)
    for row in lost:
        if Candidate.objects.filter(pk=row.pk, sent_at=row.sent_at).update(sent_at=now):
            runner().enqueue(TEST, row.pk, row.round, queue="default")


def _kept(wish: Wish, node: Node | None, place: addresses.Address) -> tuple[str, str] | None:
    """What is signed in with so far, where the new address can use it."""
    before: Candidate | NodeAccess | None = wish.before or getattr(node, "access", None)
    earlier = wish.before or node
    if before is None or earlier is None or not before.credentials:
        return None
    same = addresses.parse(earlier.address, sockets=True).transport == place.transport
    return (before.credentials, before.means) if same else None


def _key(row: Candidate) -> None:
    """The host showed its keys and nobody signed in: go on with the one that is known, or ask."""
    # That nobody signed in yet is what is being asked; it is no fault of the host.
    row.findings = [each for each in row.findings if each["level"] != "error"]
    access: NodeAccess | None = getattr(row.node, "access", None)
    pinned = access.host_key if access else ""
    line = host_keys.chosen(row.offered, row.expected) if row.expected else ""
    if not row.expected and pinned in row.offered:
        line = pinned
    if line:
        row.host_key, row.round, row.sent_at = line, row.round + 1, clock().now()
        _send(row)
    elif row.expected:
        row.state = CandidateState.REFUSED
        row.findings = [*row.findings, _row(_other_key(row, row.offered, row.expected))]
    else:
        row.state = CandidateState.KEY_TO_CONFIRM
        if pinned:
            row.findings = [*row.findings, _changed_key(pinned)]


def _outcome(row: Candidate, seen: Probed) -> None:
    row.host_uuid = seen.facts.host_uuid if seen.facts else ""
    found = against(row)
    row.findings = [*row.findings, *(_row(each) for each in found)]
    row.state = CandidateState.READY if seen.usable and not found else CandidateState.REFUSED


def against(row: Candidate) -> list[Finding]:
    """Why this host, as it was seen, cannot become that node now."""
    node = row.node
    if node is not None and row.host_uuid and node.host_uuid and row.host_uuid != node.host_uuid:
        words = {"found": row.host_uuid, "known": node.host_uuid, "node": node.name}
        return [finding("host_is_other", address=row.address, **words)]
    return taken(
        row.cluster,
        name=row.name,
        driver=row.driver,
        address=row.address,
        host_uuid=row.host_uuid,
        besides=node,
    )


def _place(wish: Wish, secrets: Mapping[str, str]) -> tuple[addresses.Address | None, list[Finding]]:
    """The address as it is kept, or None; and what is wrong with it and with what goes with it."""
    found = []
    try:
        place = addresses.parse(wish.address)
    except addresses.BadAddress as bad:
        return None, [field_finding("address", str(bad))]
    if not place.encrypted and not wish.unprotected:
        found.append(field_finding("unprotected", UNPROTECTED))
    try:
        addresses.parse(wish.migration_address.strip() or place.text)
    except addresses.BadAddress as bad:
        found.append(field_finding("migration_address", str(bad)))
    expected = wish.expected.strip()
    if expected not in ("", host_keys.ANY) and not host_keys.FINGERPRINT.fullmatch(expected):
        found.append(field_finding("host_key", BAD_FINGERPRINT))
    return place, found + keys.wrong(secrets, transport=place.transport, now=clock().now())


UNPROTECTED = (
    "qemu+tcp neither encrypts nor asks who connects: whoever reaches that port controls the host. Say that "
    "you know, or use qemu+ssh or qemu+tls."
)
BAD_FINGERPRINT = (
    "A fingerprint looks like SHA256: and 43 characters. The host prints it: "
    "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
)


def _other_key(row: Candidate, offered: list[str], given: str) -> Finding:
    shown = ", ".join(host_keys.fingerprint(line) for line in offered) or "none"
    return finding("host_key_other", address=row.address, given=given[:100], offered=shown)


def _changed_key(pinned: str) -> dict[str, str]:
    known = host_keys.fingerprint(pinned)
    advice = (
        "If the host was installed anew, compare the new key on the host itself. If not, do not confirm it."
    )
    return {
        "level": "warning",
        "what": f"The key pinned so far, {known}, is not shown any more.",
        "advice": advice,
    }


def _row(found: Finding) -> dict[str, str]:
    return {"level": "error", "what": found.sentence, "advice": ""}


def _again(row: Candidate, **values: object) -> bool:
    """Another round; False when somebody else began one first."""
    same = Candidate.objects.filter(pk=row.pk, round=row.round, state=row.state)
    row.round, row.sent_at = row.round + 1, clock().now()
    state = CandidateState.TESTING
    return bool(same.update(state=state, round=row.round, sent_at=row.sent_at, findings=[], **values))


def _send(row: Candidate) -> None:
    number, round = row.pk, row.round
    transaction.on_commit(lambda: runner().enqueue(TEST, number, round, queue="default"), robust=True)


def _audit(actor: Actor, row: Candidate, verb: str, **params: object) -> None:
    where = {"address": row.address, **params}
    audit(actor, cluster_id=row.cluster_id, verb=verb, subject=row.name, accepted=True, made=row.pk, **where)


def _refuse(
    actor: Actor, cluster: Cluster, verb: str, name: str, *found: Finding, status: int = 409
) -> ActionRefused:
    answer, subject = " ".join(each.sentence for each in found), names.seen_part(name)
    audit(actor, cluster_id=cluster.pk, verb=verb, subject=subject, accepted=False, answer=answer)
    return ActionRefused(*found, status=status)
