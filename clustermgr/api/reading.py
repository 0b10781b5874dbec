"""Bodies: JSON in UTF-8 whose text can be stored and sent again; anything else is refused as a whole."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser


class StrictParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        """Raises for anything that is not JSON; the caller makes it a 400."""
        found = json.loads(request.body.decode(), parse_constant=_no_number)
        # Half of a surrogate pair is legal in JSON and breaks wherever the text is encoded.
        json.dumps(found, ensure_ascii=False).encode()
        return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")
