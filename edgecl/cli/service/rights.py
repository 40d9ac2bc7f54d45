"""Rights of a service's user to files, folders and devices of this machine."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Sequence
from pathlib import Path


def write_refusal(path: Path, user: str | None, groups: Sequence[str]) -> str:
    """Say why a service could not write a path; empty where it can, or where nothing tells.

    Args:
        path: a file, device or folder; of what is not there, the nearest folder that is.
        user: of the service; None for one that systemd makes, which owns nothing yet.
        groups: that the service is in beside its user's.
    """
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        found = path.stat()
    except OSError:
        return ""
    who, known = None, {_gid_of(name) for name in groups}
    if user is not None:
        try:
            who = pwd.getpwnam(user)
        except KeyError:
            return ""  # made later, with rights of its own
        known |= set(os.getgrouplist(user, who.pw_gid))
        if who.pw_uid == 0:
            return ""
    if who is not None and who.pw_uid == found.st_uid:
        writes = found.st_mode & stat.S_IWUSR
    elif found.st_gid in known:
        writes = found.st_mode & stat.S_IWGRP
    else:
        writes = found.st_mode & stat.S_IWOTH
    if writes:
        return ""
    return f"{path} is {_owners(found)}, mode {stat.S_IMODE(found.st_mode):04o}"


def _gid_of(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _owners(found: os.stat_result) -> str:
    try:
        user = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        user = str(found.st_uid)
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return f"{user}:{group}"
