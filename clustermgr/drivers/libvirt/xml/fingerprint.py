"""A fingerprint of inactive domain XML: it changes with what matters, not with what the host fills in."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET

#: The namespace of our own stamp in a VM's metadata (safety.md 7.2); left out of the fingerprint.
STAMP_NAMESPACE = "urn:clustermgr:stamp:1"

#: Kinds of addresses on the guest's buses: the host chooses them when the definition says none.
BUS_ADDRESSES = frozenset({"pci", "drive", "virtio-serial", "usb", "ccid", "ccw", "isa", "virtio-mmio"})


def fingerprint(definition: str) -> str:
    """64 hexadecimal digits; equal for definitions that mean the same VM."""
    return hashlib.sha256(normalise(definition).encode()).hexdigest()


def normalise(definition: str) -> str:
    """Canonical text (attributes sorted, no layout) without what is volatile."""
    root = ET.fromstring(definition)
    root.attrib.pop("id", None)
    _drop_stamp(root)
    _drop_volatile(root)
    _strip_layout(root)
    return ET.canonicalize(ET.tostring(root, encoding="unicode"))


def _drop_stamp(root: ET.Element) -> None:
    metadata = root.find("metadata")
    if metadata is None:
        return
    for element in list(metadata):
        if element.tag.startswith(f"{{{STAMP_NAMESPACE}}}"):
            metadata.remove(element)
    if len(metadata) == 0:
        root.remove(metadata)


def _drop_volatile(element: ET.Element) -> None:
    for child in list(element):
        if _is_volatile(child):
            element.remove(child)
        elif child.tag != "metadata":
            _drop_volatile(child)


def _is_volatile(element: ET.Element) -> bool:
    """A passed-through device's own address, a fixed label and an alias that a person chose stay."""
    if element.tag == "address":
        return element.get("type") in BUS_ADDRESSES
    if element.tag == "seclabel":
        return element.get("type") == "dynamic"
    return element.tag == "alias" and not element.get("name", "").startswith("ua-")


def _strip_layout(element: ET.Element) -> None:
    """White space between elements says nothing; in a leaf's text (a description) it does."""
    element.tail = None
    if len(element):
        element.text = (element.text or "").strip() or None
        for child in element:
            _strip_layout(child)
