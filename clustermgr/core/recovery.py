"""What to do about a VM that failed: restart it, fail it over, or leave it failed, with the reason.

Defaults follow Windows Server Failover Clustering: one restart in 15 minutes, then one failover, of which
nodes - 1 are allowed in 6 hours; left failed, it is tried again after an hour (fcm.md 3.1 and 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RESTART_PERIOD_S = 15 * 60.0
MAX_RESTARTS = 1
FAILURE_PERIOD_S = 6 * 3600.0
RETRY_AFTER_S = 3600.0


class Remedy(StrEnum):
    RESTART = "restart"
    FAIL_OVER = "fail_over"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class History:
    """Counts in the present periods, and seconds since those periods began (None: no period is open)."""

    restarts: int
    restarts_age_s: float | None
    failovers: int
    failovers_age_s: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    remedy: Remedy
    reason: str
    new_restart_period: bool = False
    new_failure_period: bool = False


def plan(history: History, *, nodes: int, can_restart_here: bool) -> Plan:
    """The remedy for one failure now. `nodes`: of the cluster; `can_restart_here`: its node is up."""
    open_restarts = _in_period(history.restarts, history.restarts_age_s, RESTART_PERIOD_S)
    if can_restart_here and open_restarts < MAX_RESTARTS:
        reason = f"restart {open_restarts + 1} of the {MAX_RESTARTS} that any 15 minutes allow"
        return Plan(Remedy.RESTART, reason, new_restart_period=open_restarts == 0)
    allowed = max(1, nodes - 1)
    open_failovers = _in_period(history.failovers, history.failovers_age_s, FAILURE_PERIOD_S)
    if open_failovers < allowed:
        reason = f"failover {open_failovers + 1} of the {allowed} that any 6 hours allow"
        return Plan(Remedy.FAIL_OVER, reason, new_failure_period=open_failovers == 0)
    reason = (
        f"it failed over {open_failovers} times in 6 hours, which is the limit; it is tried again in an hour"
    )
    return Plan(Remedy.LEAVE, reason)


def _in_period(count: int, age_s: float | None, period_s: float) -> int:
    return count if age_s is not None and age_s < period_s else 0
