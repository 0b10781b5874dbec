"""Rights: verbs and roles in one table, which a test walks against every URL and socket topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clustermgr.core.states import Role

RANK = {Role.VIEWER: 1, Role.OPERATOR: 2, Role.ADMINISTRATOR: 3}

#: The least role for each verb. "view" covers every page and socket topic.
VERBS: dict[str, Role] = {
    "view": Role.VIEWER,
    "own_tokens": Role.VIEWER,
    "live_migrate": Role.OPERATOR,
    "quick_migrate": Role.OPERATOR,
    "move": Role.OPERATOR,
    "start": Role.OPERATOR,
    "shut_down": Role.OPERATOR,
    "turn_off": Role.OPERATOR,
    "save": Role.OPERATOR,
    "cancel": Role.OPERATOR,
    "refresh": Role.OPERATOR,
    "change_settings": Role.ADMINISTRATOR,
    "remove_role": Role.ADMINISTRATOR,
    "create_cluster": Role.ADMINISTRATOR,
    "change_cluster": Role.ADMINISTRATOR,
    "test_connection": Role.ADMINISTRATOR,
    "add_node": Role.ADMINISTRATOR,
    "change_access": Role.ADMINISTRATOR,
    "evict_node": Role.ADMINISTRATOR,
    "declare_volume": Role.ADMINISTRATOR,
    "stand_down": Role.ADMINISTRATOR,
    "resume_cluster": Role.ADMINISTRATOR,
    "take_over": Role.ADMINISTRATOR,
    "view_audit": Role.ADMINISTRATOR,
    "all_tokens": Role.ADMINISTRATOR,
}

#: Kinds of operations whose verb has another name.
VERB_OF_KIND = {
    "live_migration": "live_migrate",
    "quick_migration": "quick_migrate",
    "removal": "remove_role",
}


def verb_of(kind: str) -> str:
    """The verb that orders operations of this kind."""
    return VERB_OF_KIND.get(kind, kind)


@dataclass(frozen=True, slots=True)
class Sent:
    """An order as it was sent: the key under which it is done once, and a digest of all that it says."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who orders: a person with a role, or the cluster itself.

    `sent`: the one order of this request, where it may be sent again; its accepted audit entry keeps the key.
    `token`: the API token that acts, if one does.
    """

    name: str
    role: Role | None
    origin: str
    user: Any = None
    sent: Sent | None = None
    token: Any = None

    def may(self, verb: str) -> bool:
        return self.role is not None and RANK[self.role] >= RANK[VERBS[verb]]


#: The engine's own hand: it holds every right and is named so in events.
CLUSTER = Actor(name="cluster", role=Role.ADMINISTRATOR, origin="cluster")


def role_of(user: Any) -> Role | None:
    """The role of a signed-in account; None for nobody and for an account without one."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return None
    membership = getattr(user, "membership", None)
    return Role(membership.role) if membership else None


def lesser(one: Role | None, other: Role | None) -> Role | None:
    """The lower of two roles; None (no role) is the lowest."""
    return None if one is None or other is None else min(one, other, key=RANK.__getitem__)
