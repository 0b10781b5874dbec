"""Whether a web process answers. As a program: `python -m clustermgr.supervisor.probe PORT [PATH]`."""

from __future__ import annotations

import http.client
import sys


def status(host: str, port: int, path: str = "/") -> int | None:
    """The HTTP status of its first page, or of another; None while nobody listens."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    link = http.client.HTTPConnection(target, port, timeout=3)
    try:
        link.request("GET", path, headers={"Host": f"localhost:{port}"})
        return link.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        link.close()


if __name__ == "__main__":
    sys.exit(0 if (status("127.0.0.1", int(sys.argv[1]), *sys.argv[2:3]) or 599) < 500 else 1)
