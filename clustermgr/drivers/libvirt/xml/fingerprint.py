"""A fingerprint of inactive domain XML: it changes with what matters, not with what the host fills in."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET

#: The namespace of our own stamp in a VM's metadata (safety.md 7.2); left out of the fingerprint.
STAMP_NAMESPACE = "urn:clustermgr:stamp:1"

#: Filled in by libvirt: addresses on the guest's buses, aliases, generated labels, live image chains.
VOLATILE = frozenset({"alias", "seclabel", "backingStore"})
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
        if child.tag in VOLATILE or _is_guest_address(child):
            element.remove(child)
        elif child.tag != "metadata":
            _drop_volatile(child)


def _is_guest_address(element: ET.Element) -> bool:
    """The host chooses these when the definition says none; a passed-through device's own address stays."""
    return element.tag == "address" and element.get("type") in BUS_ADDRESSES


def _strip_layout(element: ET.Element) -> None:
    """White space between elements says nothing; in a leaf's text (a description) it does."""
    element.tail = None
    if len(element):
        element.text = (element.text or "").strip() or None
        for child in element:
            _strip_layout(child)
