"""Types of what comes in: text without control characters, ids that fit a column, pages of at most 100."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from ninja import Header, Schema
from pydantic import ConfigDict, Field, StrictInt, StringConstraints

NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"

#: An id, `@name`, or a name.
Ref = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_CONTROLS)]
Text = Annotated[str, StringConstraints(max_length=100, pattern=NO_CONTROLS)]
Id = Annotated[int, Field(ge=1, le=999_999_999_999_999)]
#: The same within a body, where true is no 1 and "1" is a text.
Number = Annotated[StrictInt, Field(ge=1, le=999_999_999_999_999)]
Limit = Annotated[int, Field(ge=1, le=100)]
Offset = Annotated[int, Field(ge=0, le=1_000_000)]
#: An order sent again with the same key is answered as before and done once (repeats.py).
Key = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")] | None,
    Header(alias="Idempotency-Key"),
]


class Body(Schema):
    """A body says nothing that is not understood: an unknown field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class Sort(StrEnum):
    """Columns of the list of virtual machines; with a minus the other way round."""

    NAME, NAME_DOWN = "name", "-name"
    STATE, STATE_DOWN = "state", "-state"
    OWNER, OWNER_DOWN = "owner", "-owner"
    CPU, CPU_DOWN = "cpu", "-cpu"
    MEMORY, MEMORY_DOWN = "memory", "-memory"
    PRIORITY, PRIORITY_DOWN = "priority", "-priority"
    UPTIME, UPTIME_DOWN = "uptime", "-uptime"


class MoveKind(StrEnum):
    LIVE_MIGRATION = "live_migration"
    QUICK_MIGRATION = "quick_migration"
    MOVE = "move"
