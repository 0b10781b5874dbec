"""What waits for one browser: at most one frame. A slow or hidden page gets fewer and fuller frames."""

from __future__ import annotations

import asyncio

from clustermgr.live.frame import Frame

#: Seconds between frames: a page in sight, and a hidden one.
IN_SIGHT = 0.0
HIDDEN = 10.0


class Mailbox:
    """Filled by the hub, emptied by the consumer of one socket; never grows."""

    def __init__(self) -> None:
        self.waiting: Frame | None = None
        self._text: str | None = None
        self.arrived = asyncio.Event()
        self.pause = IN_SIGHT

    def put(self, frame: Frame, text: str) -> None:
        """`text` is the frame as every browser gets it, serialised once; a merged frame makes its own."""
        if self.waiting is None:
            self.waiting, self._text = frame, text
        else:
            self.waiting, self._text = self.waiting.then(frame), None
        self.arrived.set()

    def take(self) -> str | None:
        # Also when nothing waits: whoever was woken for nothing would spin and hold the whole process.
        self.arrived.clear()
        if self.waiting is None:
            return None
        text = self._text or self.waiting.text()
        self.waiting, self._text = None, None
        return text
