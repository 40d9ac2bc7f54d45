"""Passwords in addresses, hidden wherever text is shown or kept."""

from __future__ import annotations

import re

HIDDEN = "***"

# Up to the last @, for a password may hold an @ or a / that nobody encoded. An address with a port
# and an @ in its path loses both from sight: better than a password shown.
_USER = re.compile(r"(?P<scheme>\w://)(?P<user>[^\s:/@?#]*)(?P<password>:\S*)?@")
_NAMES = (
    r"pass(?:word|wd|phrase|code)?|psw|pwd|pw|user-pw|proxy-pw|user-pass|token|access_token|"
    r"auth|api_?key|key|secret|sig(?:nature)?|credentials?"
)
_PARAMETER = re.compile(
    rf"(?P<name>(?:^|[?&;\s])(?:{_NAMES})=)(?P<value>\"[^\"]*\"|'[^']*'|[^&\s'\"]+)", re.IGNORECASE
)


def redact(text: str) -> str:
    """`text` with the passwords of all addresses and GStreamer elements in it hidden.

    A user's name stays where a password follows it; alone before the host it may be a token, and
    goes as well.
    """
    if "=" in text:
        text = _PARAMETER.sub(rf"\g<name>{HIDDEN}", text)
    return _USER.sub(_without_password, text) if "://" in text else text


def _without_password(match: re.Match[str]) -> str:
    if match["password"] is None:
        return f"{match['scheme']}{HIDDEN}@"
    return f"{match['scheme']}{match['user']}:{HIDDEN}@"
