"""Hosts under test, as words: `tried(stage, "lab:n4")` asks for a test and lets a worker answer it."""

from __future__ import annotations

from typing import Any

from clustermgr.actions import candidates
from clustermgr.actions.candidates import Wish
from clustermgr.models import Candidate, Node
from tests.jobs.conftest import Stage


def asked(stage: Stage, address: str, *, node: Node | None = None, **wish: Any) -> Candidate:
    return candidates.begin(
        actor=stage.actor, cluster=stage.cluster, wish=Wish(address=address, **wish), node=node
    )


def tried(stage: Stage, address: str, *, node: Node | None = None, **wish: Any) -> Candidate:
    row = asked(stage, address, node=node, **wish)
    stage.run()
    row.refresh_from_db()
    return row
