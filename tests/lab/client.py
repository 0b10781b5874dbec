"""`python client.py ADDRESS PORT`: holds one TCP connection, speaking 20 times a second until its input ends.

Prints one JSON object: how often it was answered, the longest gap between two answers, and whether the
connection broke. Started in the namespace of the lab's switch; uses nothing but Python.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

PERIOD_S = 0.05
WORD = b"still there\n"


def talk(address: str, port: int) -> dict[str, object]:
    line = socket.create_connection((address, port), timeout=10)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setblocking(False)
    sent = heard = 0
    gap, last = 0.0, time.monotonic()
    due, ending = last, 0.0
    print("connected", flush=True)
    while not ending or (heard < sent and time.monotonic() < ending):
        now = time.monotonic()
        if not ending and now >= due:
            sent += line.send(WORD)
            due += PERIOD_S
        ready, _, _ = select.select([line, sys.stdin], [], [], max(0.0, min(due - now, PERIOD_S)))
        if line in ready:
            got = len(line.recv(65536))
            if not got:
                return {"broken": "the guest closed it", "gap_s": gap, "answers": heard // len(WORD)}
            heard += got
            now = time.monotonic()
            gap, last = max(gap, now - last), now
        if sys.stdin in ready and not ending:
            ending = time.monotonic() + 10
    lost = (sent - heard) // len(WORD)
    return {"broken": "", "gap_s": gap, "answers": heard // len(WORD), "lost": lost}


if __name__ == "__main__":
    try:
        print(json.dumps(talk(sys.argv[1], int(sys.argv[2]))))
    except OSError as error:
        print(json.dumps({"broken": str(error)}))
