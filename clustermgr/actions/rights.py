"""Who may order what, said and audited: for every action, and for the doors of the entrances."""

from __future__ import annotations

from datetime import timedelta

from clustermgr.access import VERBS, Actor
from clustermgr.actions._ledger import audit
from clustermgr.core.findings import finding
from clustermgr.errors import ActionRefused
from clustermgr.models import AuditEntry, Candidate, Cluster, Node, Operation, Vm, Volume
from clustermgr.ports import clock

Subject = Cluster | Node | Vm | Operation | Candidate | Volume
#: Looking is refused to those who may see nothing at all; that is no order.
SILENT = frozenset({"view", "own_tokens"})
#: The same try again within this time is not written down again: nobody fills the audit with refusals.
ONCE_IN = timedelta(minutes=1)


def require(actor: Actor, verb: str, subject: Subject | None = None) -> None:
    """Raise ActionRefused(403) unless the actor's role reaches the verb's. A refused order is audited."""
    if not actor.may(verb):
        raise refusal(actor, verb, subject)


def refusal(actor: Actor, verb: str, subject: Subject | None = None) -> ActionRefused:
    """The refusal for lack of right, audited once in a minute for each account, verb and subject."""
    found = finding("not_allowed", role=actor.role or "nobody", needed=VERBS[verb])
    name = _name(subject)
    if verb not in SILENT and not _told(actor, verb, name):
        audit(
            actor,
            cluster_id=_cluster(subject),
            verb=verb,
            subject=name,
            accepted=False,
            answer=found.sentence,
        )
    return ActionRefused(found, status=403)


def _told(actor: Actor, verb: str, name: str) -> bool:
    said = AuditEntry.objects.filter(username=actor.name, verb=verb, at__gt=clock().now() - ONCE_IN)
    return said.filter(subject=name, accepted=False).exists()


def _name(subject: Subject | None) -> str:
    if subject is None:
        return ""
    return subject.vm_name if isinstance(subject, Operation) else subject.name


def _cluster(subject: Subject | None) -> int | None:
    if subject is None:
        return None
    return subject.pk if isinstance(subject, Cluster) else subject.cluster_id
