"""The Machine Vision node set's file: a look at it that takes no time, and its refusal."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from runtime.errors import InputError

MACHINE_VISION = "http://opcfoundation.org/UA/MachineVision"

HINT = "name the file Opc.Ua.MachineVision.NodeSet2.xml, or leave nodeset out"


class NodesetError(Exception):
    """The file has no Machine Vision node set."""


def look_at_nodeset(path: Path) -> None:
    """Look whether a file names the namespace of Machine Vision; its types are not looked at.

    Raises:
        NodesetError: it does not, or is no XML.
    """
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag.endswith("Uri") and (element.text or "").strip() == MACHINE_VISION:
                return
    except (OSError, ElementTree.ParseError) as error:
        raise NodesetError(f"{type(error).__name__}: {error}") from error
    raise NodesetError(f"it does not name {MACHINE_VISION}")


def nodeset_refused(path: str, error: NodesetError) -> InputError:
    """Return why a file is not used."""
    return InputError(f"--sink opcua: {path} is no Machine Vision node set ({error})", hint=HINT)
