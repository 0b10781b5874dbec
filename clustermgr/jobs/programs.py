"""Which steps carry which kind of operation: the table of contents of this package."""

from __future__ import annotations

from clustermgr.core.states import OperationKind
from clustermgr.jobs import power
from clustermgr.jobs.live_migration import live_migration
from clustermgr.jobs.recovery import recovery
from clustermgr.jobs.relocation import relocation
from clustermgr.jobs.removal import leave_cluster
from clustermgr.jobs.settings import settings
from clustermgr.jobs.tidying import tidy_up
from clustermgr.jobs.work import Step

PROGRAMS: dict[str, Step] = {
    OperationKind.LIVE_MIGRATION: live_migration,
    OperationKind.QUICK_MIGRATION: relocation,
    OperationKind.MOVE: relocation,
    OperationKind.START: power.start,
    OperationKind.SHUT_DOWN: power.shut_down,
    OperationKind.TURN_OFF: power.turn_off,
    OperationKind.SAVE: power.save,
    OperationKind.SETTINGS: settings,
    OperationKind.RECOVERY: recovery,
    OperationKind.TIDY: tidy_up,
    OperationKind.REMOVAL: leave_cluster,
}
