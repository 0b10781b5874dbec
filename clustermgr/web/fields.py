"""A field of a form that two people may have open: what it shows, its error, what was saved meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clustermgr.errors import ActionRefused

Choice = tuple[str, str, str]  # value, word, note


@dataclass(frozen=True, slots=True)
class Sent:
    """What came back from the form, what it had shown, and why it was refused; empty for a fresh one."""

    given: Mapping[str, str] = field(default_factory=dict)
    base: Mapping[str, str] = field(default_factory=dict)
    refusal: ActionRefused | None = None

    @property
    def stale(self) -> bool:
        return self.refusal is not None and any(f.code == "stale_form" for f in self.refusal.findings)

    @property
    def errors(self) -> dict[str, str]:
        return {f.field: f.sentence for f in self.refusal.findings if f.field} if self.refusal else {}

    @property
    def findings(self) -> list[Any]:
        return [f for f in self.refusal.findings if not f.field] if self.refusal else []

    def field(self, name: str, saved: str, **about: Any) -> dict[str, Any]:
        """A field as the template needs it; on a conflict with all three values. `about`: label, hint, kind,
        choices, unit, when."""
        mine, original = self.given.get(name, saved), self.base.get(name, saved)
        conflict = self.stale and original not in (saved, mine) and mine != saved
        return {
            "name": name,
            # Somebody else's change of a field that I did not touch is taken over; mine stays in the form.
            "value": saved if mine == original else mine,
            "base": saved,
            "original": original,
            "conflict": conflict,
            "merged": self.stale and mine == original and saved != original,
            "error": self.errors.get(name, ""),
            **about,
        }


def read(sent: Mapping[str, str], names: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """What the form showed when it was opened, and what came back."""
    texts = {name: value.replace("\r\n", "\n") for name, value in sent.items()}
    base = {name: texts.get(f"base-{name}", "") for name in names}
    return base, {name: texts[name] for name in names if name in texts}
