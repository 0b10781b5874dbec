"""Edits of a domain definition. What we do not know stays as it is, down to namespaces and order.

minidom, because ElementTree renames namespace prefixes and moves their declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.dom import minidom

from clustermgr.drivers.contract import Refused

FIELDS = ("memory_mib", "vcpus", "notes")


def patch_settings(definition: str, changes: Mapping[str, object]) -> str:
    """The definition with the changes in it. Raises Refused with the rule that a change breaks."""
    unknown = sorted(set(changes) - set(FIELDS))
    if unknown:
        raise Refused(f"This host cannot change: {', '.join(unknown)}. It can change: {', '.join(FIELDS)}.")
    document = minidom.parseString(definition)
    root = document.documentElement
    if root is None or root.tagName != "domain":
        raise Refused("The definition is not that of a virtual machine.")
    if "memory_mib" in changes:
        _set_memory(root, whole(changes["memory_mib"], "Memory"))
    if "vcpus" in changes:
        _set_vcpus(root, whole(changes["vcpus"], "The number of virtual processors"))
    if "notes" in changes:
        _set_notes(root, str(changes["notes"] or ""))
    return str(root.toxml())


def whole(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Refused(f"{what} must be a whole number of at least 1.")
    return value


def child(parent: minidom.Element, *path: str) -> minidom.Element | None:
    for name in path:
        found = [
            node for node in parent.childNodes if isinstance(node, minidom.Element) and node.tagName == name
        ]
        if not found:
            return None
        parent = found[0]
    return parent


def text_of(element: minidom.Element | None) -> str:
    if element is None:
        return ""
    return "".join(node.data for node in element.childNodes if isinstance(node, minidom.Text)).strip()


def _write(element: minidom.Element, text: str) -> None:
    while element.firstChild is not None:
        element.removeChild(element.firstChild)
    document = element.ownerDocument
    if document is not None and text:
        element.appendChild(document.createTextNode(text))


def _set_memory(root: minidom.Element, mib: int) -> None:
    """Both the start-up memory and what the guest gets; a single NUMA cell follows, several cannot."""
    cells = _elements(root, "cell") if child(root, "cpu", "numa") else []
    if len(cells) > 1:
        raise Refused("Memory divided among several NUMA cells can only be changed on the host.")
    limit = child(root, "maxMemory")
    if limit is not None and mib > int(text_of(limit)) // 1024:
        raise Refused(
            f"Memory must not exceed this machine's hot-plug limit of {int(text_of(limit)) // 1024} MiB."
        )
    for cell in cells:
        cell.setAttribute("memory", str(mib * 1024))
        cell.setAttribute("unit", "KiB")
    for name in ("memory", "currentMemory"):
        element = child(root, name)
        if element is not None:
            element.setAttribute("unit", "KiB")
            _write(element, str(mib * 1024))


def _elements(root: minidom.Element, name: str) -> list[minidom.Element]:
    return list(root.getElementsByTagName(name))


def _set_vcpus(root: minidom.Element, count: int) -> None:
    """Within the maximum only the current number changes; beyond it the maximum, and a topology's sockets."""
    element = child(root, "vcpu")
    if element is None:
        raise Refused("The definition names no virtual processors.")
    if child(root, "vcpus") is not None:
        raise Refused("Virtual processors switched one by one can only be changed on the host.")
    most = int(text_of(element) or 1)
    if count > most:
        if child(root, "cpu", "numa") is not None:
            raise Refused(f"With NUMA cells there can be at most {most} virtual processors.")
        _grow_topology(root, count)
        _write(element, str(count))
        most = count
    if count < most:
        element.setAttribute("current", str(count))
    elif element.hasAttribute("current"):
        element.removeAttribute("current")


def _grow_topology(root: minidom.Element, count: int) -> None:
    topology = child(root, "cpu", "topology")
    if topology is None:
        return
    per_socket = 1
    for name in ("dies", "clusters", "cores", "threads"):
        per_socket *= int(topology.getAttribute(name) or 1)
    if count % per_socket:
        raise Refused(
            f"The number of virtual processors must be a multiple of {per_socket}, those of one socket."
        )
    topology.setAttribute("sockets", str(count // per_socket))


def _set_notes(root: minidom.Element, notes: str) -> None:
    element, document = child(root, "description"), root.ownerDocument
    if element is None and document is not None and notes:
        element = document.createElement("description")
        root.insertBefore(element, _after_names(root))
    if element is not None:
        if notes:
            _write(element, notes)
        else:
            root.removeChild(element)


def _after_names(root: minidom.Element) -> minidom.Element | None:
    """libvirt's order: name, uuid, genid, title, description."""
    for node in root.childNodes:
        if isinstance(node, minidom.Element) and node.tagName not in ("name", "uuid", "genid", "title"):
            return node
    return None
