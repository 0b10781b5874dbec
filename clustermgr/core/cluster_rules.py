"""Rules of a cluster's properties: types and limits, each broken rule as a sentence with the fix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clustermgr.core.findings import Finding, field_finding
from clustermgr.core.settings_rules import whole

LABELS = {
    "live_migrations_per_node": "Live migrations per node",
    "migration_bandwidth_mib_s": "Bandwidth of a live migration",
    "allow_unsafe_migration": "Volumes are plain shared directories",
}
FIELDS = tuple(LABELS)
#: More at once only share the same link, and each takes longer.
MOST_LIVE_MIGRATIONS = 32
MOST_BANDWIDTH_MIB_S = 100_000
SAID = {"yes": True, "no": False}


def clean(changes: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Typed values and findings. A choice is a truth value, or "yes" or "no"."""
    values: dict[str, Any] = {}
    found: list[Finding] = []
    for name, raw in changes.items():
        value = _value(name, raw)
        if value is None:
            found.append(field_finding(name, _rule(name)))
        else:
            values[name] = value
    return values, found


def words(name: str, value: Any) -> str:
    """A value as events say it: "2", "no limit", "40 MB a second", "yes"."""
    if name == "migration_bandwidth_mib_s":
        return f"{value:,} MB a second" if value else "no limit"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _value(name: str, raw: Any) -> Any:
    if name == "allow_unsafe_migration":
        return raw if isinstance(raw, bool) else SAID.get(raw) if isinstance(raw, str) else None
    number = whole(raw)
    least, most = {
        "live_migrations_per_node": (1, MOST_LIVE_MIGRATIONS),
        "migration_bandwidth_mib_s": (0, MOST_BANDWIDTH_MIB_S),
    }.get(name, (1, 0))
    return number if number is not None and least <= number <= most else None


def _rule(name: str) -> str:
    if name == "live_migrations_per_node":
        return f"Live migrations per node must be a whole number between 1 and {MOST_LIVE_MIGRATIONS}."
    if name == "migration_bandwidth_mib_s":
        most = f"{MOST_BANDWIDTH_MIB_S:,}"
        return f"Bandwidth must be a whole number of MB a second, at most {most}; 0 is no limit."
    if name == "allow_unsafe_migration":
        return f"{LABELS[name]}: say yes or no."
    return f"“{name}” is not a property that can be changed here."
