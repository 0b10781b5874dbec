"""The names under which the console is reached: those that browsers use, and those of this machine itself."""

from __future__ import annotations

from collections.abc import Mapping

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_EVERYWHERE = ("", "0.0.0.0", "::")


def public(environment: Mapping[str, str]) -> list[str]:
    """What CLUSTERMGR_HOSTS lists."""
    words = environment.get("CLUSTERMGR_HOSTS", "").split(",")
    return [word.strip() for word in words if word.strip()]


def local(environment: Mapping[str, str]) -> list[str]:
    """What reaches it from this machine: clusterctl and whoever looks whether it is well come by these."""
    host = environment.get("HOST", "")
    return list(dict.fromkeys([*LOOPBACK, *([] if host in _EVERYWHERE else [shown(host)])]))


def first_public(environment: Mapping[str, str]) -> str:
    """The first that is a name of its own: no pattern, and not only this machine's."""
    mine = local(environment)
    names = [name for name in public(environment) if name not in mine and not name.startswith(("*", "."))]
    return names[0] if names else ""


def shown(host: str) -> str:
    """An address to listen on, as it stands in a URL."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
