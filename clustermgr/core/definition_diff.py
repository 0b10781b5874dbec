"""Which parts of a definition differ, for the field “other settings”. Pure; secrets never leave it.

A definition is XML (libvirt) or JSON (simulated hosts). A value is shown only of elements that are named
here: what else there is may be a password, a cookie or somebody's own words, so only its place is told.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

MOST = 12  # lines
LONGEST = 60  # characters of a value
NOTHING, UNTOLD = "–", "not shown"

_SHOWN = frozenset(
    """
    acpi apic bios boot bootmenu clock controller cpu cpu_features driver feature firmware graphics hpet input
    iothreads link listen loader memballoon model mtu on_crash on_poweroff on_reboot os pae readonly rom
    shareable smm sound target timer topology type vcpu video watchdog
    """.split()  # noqa: SIM905
)
#: Of what is shown, still not these: a graphics element holds its password, a loader its path.
_HIDDEN = re.compile(r"pass|secret|key|token|auth|cert|cookie|login|user|value|query", re.IGNORECASE)
#: Filled in by each host in its own way; no difference of theirs is told.
_OF_THE_HOST = frozenset({"alias", "seclabel", "uuid", "stamp", "emulator"})


def told(ours: str, theirs: str) -> tuple[str, str] | None:
    """Lines “place: value” of what differs, of the cluster's definition and of the host's, in one order.

    None where nothing can be told.
    """
    try:
        mine, host = _parts(ours), _parts(theirs)
    except (ValueError, ET.ParseError):
        return None
    places = [place for place in dict.fromkeys([*mine, *host]) if mine.get(place) != host.get(place)]
    if not places:
        return None
    more = [f"and {len(places) - MOST} more"] if len(places) > MOST else []
    sides = ([_line(place, side.get(place)) for place in places[:MOST]] for side in (mine, host))
    one, other = ("\n".join([*lines, *more]) for lines in sides)
    return one, other


def _line(place: str, value: str | None) -> str:
    if value is None:
        return f"{place}: {NOTHING}"
    name = place.rsplit("/", 1)[-1]
    owner = re.sub(r"\[.*?\]", "", place.split("/@")[0]).rsplit("/", 1)[-1]
    if owner not in _SHOWN or _HIDDEN.search(name):
        return f"{place}: {UNTOLD}"
    return f"{place}: {value[:LONGEST] or 'there'}"


def _parts(definition: str) -> dict[str, str]:
    """Place -> value, in the order of the definition."""
    if definition.lstrip().startswith("<"):
        return dict(_elements(ET.fromstring(definition), ""))
    body = json.loads(definition)
    if not isinstance(body, dict):
        raise ValueError("no object")
    return {
        name: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in body.items()
        if name not in _OF_THE_HOST
    }


def _elements(element: ET.Element, place: str) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        if place:  # the root's own are its id and its kind
            yield f"{place}/@{_plain(name)}", value
    text = (element.text or "").strip()
    if place and not len(element) and (text or not element.attrib):
        yield place, text
    known: dict[str, int] = {}
    for child in element:
        name = _named(child)
        if _plain(child.tag) in _OF_THE_HOST or (child.tag == "address" and child.get("type")):
            continue
        known[name] = known.get(name, 0) + 1
        number = f"[{known[name]}]" if known[name] > 1 else ""
        yield from _elements(child, f"{place}/{name}{number}".lstrip("/"))


def _named(element: ET.Element) -> str:
    """The tag, and what tells it from its brothers."""
    target, mac = element.find("target"), element.find("mac")
    marks = [
        target.get("dev") or target.get("name") if target is not None else None,
        mac.get("address") if mac is not None else None,
        element.get("index") and f"{element.get('type')} {element.get('index')}",
        element.get("name") if element.tag in ("feature", "timer") else None,
    ]
    mark = next((each for each in marks if each), "")
    return f"{_plain(element.tag)}[{mark}]" if mark else _plain(element.tag)


def _plain(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]
