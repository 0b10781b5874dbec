"""The manager's stamp in a definition's metadata: read it, put it in.

Text in the contract ("manager=… epoch=… vm=…"), attributes of one element of a namespace of its own in XML.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from xml.dom import minidom

from clustermgr.drivers.contract import Refused
from clustermgr.drivers.libvirt.xml.fingerprint import STAMP_NAMESPACE
from clustermgr.drivers.libvirt.xml.patch import child

KEY = "clustermgr"
NAME = "stamp"


def read(definition: str) -> str:
    """The stamp as text, "" when there is none."""
    found = ET.fromstring(definition).find(f"metadata/{{{STAMP_NAMESPACE}}}{NAME}")
    return "" if found is None else " ".join(f"{name}={value}" for name, value in found.attrib.items())


def element(text: str) -> str:
    """The element that libvirt's setMetadata takes; it adds the namespace."""
    made = ET.Element(NAME, _attributes(text))
    return ET.tostring(made, encoding="unicode")


def with_stamp(definition: str, text: str) -> str:
    """The definition with this stamp in place of any other; all else stays as it is. Raises Refused."""
    document = minidom.parseString(definition)
    root = document.documentElement
    if root is None or root.tagName != "domain":
        raise Refused("The definition is not that of a virtual machine.")
    metadata = child(root, "metadata")
    if metadata is None:
        metadata = document.createElement("metadata")
        root.appendChild(metadata)  # libvirt puts it where it belongs
    for old in list(metadata.getElementsByTagNameNS(STAMP_NAMESPACE, NAME)):
        metadata.removeChild(old)
    made = document.createElementNS(STAMP_NAMESPACE, f"{KEY}:{NAME}")
    made.setAttribute(f"xmlns:{KEY}", STAMP_NAMESPACE)
    for name, value in _attributes(text).items():
        made.setAttribute(name, value)
    metadata.appendChild(made)
    return str(root.toxml())


def _attributes(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split() if "=" in part)
