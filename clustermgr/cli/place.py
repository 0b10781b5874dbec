"""Where the API is and which token opens it: from the environment, or left by `make run` on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FILE = "clusterctl.json"
HOME = Path(__file__).resolve().parents[2]
NOTHING = (
    "clusterctl does not know where the console is. Start it here with `make run`, or set CLUSTERCTL_URL and "
    "CLUSTERCTL_TOKEN (a token is made in the console under Tokens)."
)


class Unplaced(Exception):
    """The text says what is missing and how to give it."""


@dataclass(frozen=True, slots=True)
class Place:
    url: str
    token: str = field(repr=False)


def find(environment: Mapping[str, str] = os.environ) -> Place:
    url = environment.get("CLUSTERCTL_URL", "").rstrip("/")
    token = environment.get("CLUSTERCTL_TOKEN", "").strip()
    if url and token:
        return Place(url, token)
    left = _left_here(Path(environment.get("CLUSTERMGR_VAR") or HOME / "var") / FILE)
    if left is None:
        raise Unplaced(NOTHING)
    # This machine's token is for this machine's console: it is never sent to another address.
    if url and url != left.url:
        raise Unplaced(f"There is no token for {url}. Make one there under Tokens and set CLUSTERCTL_TOKEN.")
    return Place(left.url, token or left.token)


def _left_here(path: Path) -> Place | None:
    try:
        kept = json.loads(path.read_text())
        return Place(str(kept["url"]).rstrip("/"), str(kept["token"]))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise Unplaced(
            f"{path} belongs to another account. Set CLUSTERCTL_URL and CLUSTERCTL_TOKEN."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise Unplaced(f"{path} cannot be read. Start the console again, which writes it anew.") from None
