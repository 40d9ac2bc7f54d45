"""A comparison in words: the same for the terminal and for Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from runtime.benchmark.comparison import ComparedSide, Figure, LatencyComparison

HEADINGS = ("median of the total", "old ms", "new ms", "new/old", "95 % interval", "verdict")
STEP_HEADINGS = ("step", *HEADINGS[1:])


def is_within(found: LatencyComparison) -> bool:
    """Whether sides of one report are compared with each other."""
    return found.old.path == found.new.path


def name_of(side: ComparedSide, *, within: bool) -> str:
    """The side's label, and what it is compared with where that is not called the same."""
    if side.old == side.new:
        return side.new
    return f"{side.new} ({'against' if within else 'was'} {side.old})"


def cells(figure: Figure) -> tuple[str, str, str, str, str]:
    """Milliseconds, ratio, interval and verdict of a figure."""
    ends = figure.interval
    return (
        f"{figure.old_ms:.3f}",
        f"{figure.new_ms:.3f}",
        f"{figure.ratio:.3f}",
        f"{ends[0]:.3f} to {ends[1]:.3f}" if ends else "–",
        verdict_of(figure),
    )


def verdict_of(figure: Figure) -> str:
    """The verdict, with what the interval could have shown where it shows nothing."""
    if figure.verdict == "no difference shown" and figure.smallest_shown is not None:
        return f"no difference shown (±{figure.smallest_shown:.1%})"
    return figure.verdict


def shown_figures(side: ComparedSide, *, steps: bool) -> list[Figure]:
    """Return the figures beside the headline that are worth a row: all, or those that differ."""
    rest = [figure for figure in side.figures if figure != side.headline]
    return rest if steps else [one for one in rest if one.verdict in ("faster", "slower")]


def spoiled_by(found: LatencyComparison) -> Iterator[str]:
    """Yield what a reader has to know before the rows."""
    for entry in found.differences:
        if entry.severity == "spoils":
            yield f"SPOILS THE COMPARISON: {entry.text}. {_sentence(entry.hint)}"


def notes(found: LatencyComparison, *, steps: bool) -> Iterator[str]:
    """Yield everything else that a reader should know beside the rows."""
    for entry in found.differences:
        if entry.severity != "spoils":
            yield f"note: {entry.text}. {_sentence(entry.hint)}"
    if is_within(found):
        yield "old and new took turns in one run, so the machine's speed cancels"
    against: dict[str, list[str]] = {}
    for side in found.sides:
        if side.why_undecided:
            yield f"undecided: {side.new}: {side.why_undecided}. Try: {_remedy(side)}"
        if side.against is not None:
            against.setdefault(side.against, []).append(side.new)
    for anchor, labels in against.items():
        yield (
            f"{', '.join(labels)}: measured against {anchor}, which is unchanged and took turns "
            "with it in both reports: new/old is free of the machine's speed, the ms are not"
        )
    for lone in found.only_in:
        yield f"note: only in {lone.report.upper()}: {lone.label}"
    yield from _limit_lines(found)
    yield _looks(found, steps=steps)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _remedy(side: ComparedSide) -> str:
    if "too few" in side.why_undecided:
        return "edgecl bench … --frames 400"
    return "edgecl bench OLD.edgecl NEW.edgecl, and compare the two sides of that one report"


def _limit_lines(found: LatencyComparison) -> Iterator[str]:
    limit = found.fail_if_slower
    if limit is None:
        return
    stands = Counter(side.limit for side in found.sides)
    told = ", ".join(f"{count} {stand}" for stand, count in sorted(stands.items(), key=str))
    yield f"limit: slower by {limit:.1%} at most: {told}"
    for side in found.sides:
        smallest = side.headline.smallest_shown
        if side.limit == "undecided" and smallest is not None:
            narrower = "" if is_within(found) else "; old and new side by side in one run even more"
            yield (
                f"undecided: {side.new}: the limit lies within its interval of ±{smallest:.1%}. "
                f"More frames make it narrower{narrower}"
            )


def _looks(found: LatencyComparison, *, steps: bool) -> str:
    others = sum(len(side.figures) - 1 for side in found.sides)
    count = len(found.sides)
    line = (
        f"The median of the total decides about a side. Each interval holds the true ratio in 95 "
        f"of 100 comparisons; of {count} headline{'s' * (count != 1)} and {others} other figures, "
        f"about {max(1, round(0.05 * (count + others)))} would differ by chance"
    )
    return f"{line}." if steps else f"{line}. Figures that show no difference: --steps"
