"""Whether the web process answers yet."""

from __future__ import annotations

import http.client


def answers(host: str, port: int) -> bool:
    """True when any page comes back that is not a server error."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    link = http.client.HTTPConnection(target, port, timeout=3)
    try:
        link.request("GET", "/", headers={"Host": f"localhost:{port}"})
        return link.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()
