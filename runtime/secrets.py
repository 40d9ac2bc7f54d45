"""Passwords in addresses, hidden wherever text is shown or kept.

Cameras take passwords in many forms: before the host, as a parameter of any name, in the middle of
a path. What may be one is hidden: an address that shows too little can be looked up where it was
given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

HIDDEN = "***"

# A quoted text may hold blanks, and a password in it too.
_TOKEN = re.compile(r"(?:[^\s\"']|\"[^\"]*\"|'[^']*'|[\"'])+")
_USER = re.compile(r"(?P<scheme>\w://)(?P<user>[^:/@?#]*)(?P<password>:.*)?@", re.DOTALL)
# The scheme was forgotten or mistyped: rtsp:/user:password@host, user:password@host.
_BARE = re.compile(r"(?P<user>(?:\w+:/?)?[^:@]*):.+@", re.DOTALL)
_NAMES = r"pass|pas|pwd|psw|psd|pw|token|secret|auth|cred|session|apikey|api[_-]key|signature"
# What names a file holds no secret itself: token-file=/etc/token.
_PARAMETER = re.compile(
    rf"(?P<name>[\w%.-]*(?:{_NAMES})[\w%.-]*(?<!-file)\s*=\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^&;\s'\"]+)",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(?P<name>[?&][^=&\s'\"]+=)(?P<value>[^&\s'\"]+)")
# Parameters of addresses that hold secrets by names too short to look for in other text.
_SHORT = frozenset({"p", "pin", "sid", "sig"})
# Parameters of addresses that are worth seeing and hold no secret; the others are hidden.
_HARMLESS = frozenset(
    {"res", "resolution", "size", "width", "height", "fps", "framerate", "rate", "quality"}
    | {"channel", "ch", "chn", "stream", "streamtype", "subtype", "profile", "codec", "mode"}
    | {"videocodec", "compression", "rotation", "camera", "cam", "id", "transport", "timeout"}
    | {"token-file", "secret-file", "login-file"}
    | {"users", "anonymous", "out", "ticks", "rotate", "keep", "fsync"}  # of sinks, in hints
    | {"latency", "user", "usr", "username", "loginuse", "unicast", "proto", "action", "x"}
)


def redact(text: str) -> str:
    """`text` with the passwords of all addresses and GStreamer elements in it hidden.

    A user's name stays where a password follows it; alone before the host it may be a token, and
    goes as well. Of an address's parameters only those of harmless names show their values.
    """
    return _hidden(text, lambda name: name not in _HARMLESS)


def without_passwords(text: str) -> str:
    """`text` with what is named or placed as a password hidden, and all else as it is.

    For text that is to be of use afterwards: an address keeps its other parameters.
    """
    return _hidden(text, lambda name: name in _SHORT)


def _hidden(text: str, hides: Callable[[str], bool]) -> str:
    """`text` without passwords, and without the parameters of addresses whose name hides theirs."""

    def without_value(match: re.Match[str]) -> str:
        name = unquote(match["name"][1:-1]).lower()
        return f"{match['name']}{HIDDEN}" if hides(name) else match[0]

    if "=" in text:
        text = _PARAMETER.sub(rf"\g<name>{HIDDEN}", text)
        if "?" in text:
            text = _QUERY.sub(without_value, text)
    return _TOKEN.sub(_without_password, text) if "@" in text else text


def _without_password(match: re.Match[str]) -> str:
    token = match[0]
    if "@" not in token:
        return token
    if _USER.search(token):
        return _USER.sub(_without_user, token)
    scheme, mark, rest = token.rpartition("://")
    return scheme + mark + _BARE.sub(rf"\g<user>:{HIDDEN}@", rest)


def _without_user(match: re.Match[str]) -> str:
    if match["password"] is not None:
        return f"{match['scheme']}{match['user']}:{HIDDEN}@"
    return f"{match['scheme']}{HIDDEN}@" if match["user"] else match[0]
