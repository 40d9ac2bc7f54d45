"""Numbers as people read them; what is missing is a dash."""

from __future__ import annotations

import math
from typing import Any

DASH = "–"


def number(value: Any) -> float | None:
    """The value if it is a finite number, else None: files written by hand or cut short."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def percent(value: Any, digits: int = 1) -> str:
    """A share as a percentage; 100 % only where nothing was missed."""
    share = number(value)
    if share is None:
        return DASH
    text = f"{100 * share:.{digits}f}"
    if share < 1 and float(text) >= 100:
        text = f"{100 - 10**-digits:.{digits}f}"
    return f"{text} %"


def percent_range(low: Any, high: Any) -> str:
    """Format two shares as a range: 97.6 to 99.0 %, with the sign once."""
    return f"{percent(low).removesuffix(' %')} to {percent(high)}"


def milliseconds(value: Any) -> str:
    """Milliseconds with three significant figures, without the unit."""
    time = number(value)
    if time is None:
        return DASH
    if time <= 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(time)))
    return f"{time:.{min(digits, 4)}f}"


def duration(value: Any) -> str:
    """Seconds as s, min s or h min."""
    seconds = number(value)
    if seconds is None:
        return DASH
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def amount(value: Any) -> str:
    """A large count with three significant figures: 1.26 M, 607 M, 22.6 G."""
    count = number(value)
    if count is None:
        return DASH
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(count) >= limit:
            unit = 1e3 if sign == "k" else limit
            scaled = count / unit
            digits = 2 if scaled < 10 else 1 if scaled < 100 else 0
            return f"{scaled:.{digits}f} {sign}"
    return f"{count:,.0f}"


def size(value: Any) -> str:
    """Bytes as kB or MB."""
    count = number(value)
    if count is None:
        return DASH
    return f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def decimal(value: Any, digits: int = 3) -> str:
    """A plain number with so many digits."""
    found = number(value)
    return DASH if found is None else f"{found:.{digits}f}"
