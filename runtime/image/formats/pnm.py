"""PBM, PGM, PPM and PAM: the header, and whether all samples are there.

Source: the Netpbm formats. `maxval` says what white is: 4095 in a file of a 12-bit camera, unless
its writer did not know.
"""

from __future__ import annotations

import re

from runtime.errors import FrameError
from runtime.image.formats.facts import Facts, cut_short, require_size

_TOKEN = re.compile(rb"(?:[ \t\r\n]+|#[^\n]*\n)*([^ \t\r\n#]+)")
_PAM_LINE = re.compile(rb"(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+(\d+)")
_LONGEST_HEADER = 4096
_PLAIN = (b"P1", b"P2", b"P3")


def inspect_pnm(data: bytes) -> Facts:
    """The depth of a PNM file that holds all of its samples.

    Raises:
        FrameError: its header cannot be read, or it is cut short.
    """
    magic = data[:2]
    if magic == b"P7":
        start, width, height, channels, maxval = _pam_header(data)
    else:
        start, (width, height, *rest) = _header(data, 2 if magic in (b"P1", b"P4") else 3)
        maxval, channels = (rest or [1])[0], 3 if magic in (b"P3", b"P6") else 1
    require_size(height, width, "PNM file")
    if not 1 <= maxval <= 65535:
        raise FrameError(f"the PNM file is damaged: its largest value is {maxval}")
    if magic == b"P4":
        size = (width + 7) // 8 * height
    else:
        size = width * height * channels * (2 if maxval > 255 else 1)
    if magic in _PLAIN:
        # A bit of P1 may stand without a blank; other samples are numbers.
        samples = data[start:]
        there = len(re.sub(rb"\s", b"", samples)) if magic == b"P1" else len(samples.split())
        if there < width * height * channels:
            raise cut_short("PNM file", f"after {there} of {width * height * channels} samples")
    elif start + size > len(data):
        raise cut_short("PNM file", f"after {max(0, len(data) - start):,} of {size:,} bytes")
    # OpenCV makes white of a bit's 1, and leaves other samples as they are. 65535 is what writers
    # put there that know of no depth: the values have to tell.
    scaled = magic in (b"P1", b"P4") or maxval in (255, 65535)
    return Facts("PNM", maxval=None if scaled else maxval)


def _header(data: bytes, count: int) -> tuple[int, list[int]]:
    """Return where the samples start, and the `count` numbers of the header."""
    at, numbers = 2, []
    for _ in range(count):
        match = _TOKEN.match(data, at, at + _LONGEST_HEADER)
        if match is None:
            raise cut_short("PNM file", "in its header")
        if not match[1].isdigit():
            raise FrameError(f"the PNM file is damaged: {match[1][:20]!r} in its header")
        numbers.append(int(match[1]))
        at = match.end()
    return at + 1, numbers


def _pam_header(data: bytes) -> tuple[int, int, int, int, int]:
    end = data.find(b"ENDHDR\n", 0, _LONGEST_HEADER)
    if end < 0:
        raise cut_short("PAM file", "in its header")
    fields = {name: int(value) for name, value in _PAM_LINE.findall(data[:end])}
    try:
        width, height, depth, maxval = (
            fields[name] for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")
        )
    except KeyError as error:
        raise FrameError(f"the PAM file is damaged: its header lacks {error}") from error
    return end + len(b"ENDHDR\n"), width, height, depth, maxval
