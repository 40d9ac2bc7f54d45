"""Page of a tuning: what each threshold lets through and holds back, and which one was chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgecl.reporting.numbers import percent
from edgecl.reporting.page import write_page
from edgecl.reporting.pages.sections.thresholds import tuning_plot
from edgecl.tuning.choice import TuningRule
from edgecl.tuning.documents import TunedPoint, TunedShare, TuningSummary
from runtime.counting import counted
from runtime.image.folder.notes import shown

_SHOWN = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)


def tuning_page(path: Path, summary: TuningSummary, rule: TuningRule | None) -> Path:
    """Write the page.

    Args:
        rule: whose limits are drawn; None without one.

    Raises:
        InputError: it cannot be written.
    """
    chosen, now = summary.chosen, summary.now
    wanted = {*_SHOWN, *((chosen.threshold,) if chosen else ())}
    rows = [point for point in summary.curve if point.threshold in wanted]
    return write_page(
        "tuning.html",
        path,
        name=shown(Path(summary.model).name),
        subtitle=f"{counted(sum(summary.images.values()), 'image')} in "
        f"{counted(summary.groups, 'group')} · {summary.precision}, {summary.engine}",
        figures=_figures(summary),
        rule=summary.rule,
        chosen=chosen,
        labels=[shown(label) for label in summary.pass_labels],
        config=None if summary.config is None else shown(summary.config),
        plot=tuning_plot(
            summary.curve,
            chosen,
            now,
            None if rule is None else rule.max_escapes,
            None if rule is None else rule.max_false_rejects,
        ),
        rows=[_row(point, point == chosen) for point in rows],
        classes=_classes(chosen or now, now),
        at="chosen" if chosen else "now",
        sources=[(shown(name), f"{count:,}") for name, count in summary.images.items()],
        notes=[shown(note) for note in summary.notes],
    )


def _figures(summary: TuningSummary) -> list[tuple[str, str, str]]:
    point = summary.chosen or summary.now
    return [
        ("Threshold", f"{point.threshold:g}", f"now {summary.now.threshold:g}"),
        ("Escapes", percent(point.escapes.share, 2), _of(point.escapes)),
        ("False rejects", percent(point.false_rejects.share, 2), _of(point.false_rejects)),
        ("Escapes now", percent(summary.now.escapes.share, 2), _of(summary.now.escapes)),
        (
            "False rejects now",
            percent(summary.now.false_rejects.share, 2),
            _of(summary.now.false_rejects),
        ),
    ]


def _of(share: TunedShare) -> str:
    return f"{share.found:,} of {share.count:,} groups"


def _row(point: TunedPoint, chosen: bool) -> dict[str, Any]:
    return {
        "threshold": f"{point.threshold:g}",
        "chosen": chosen,
        "escapes": point.escapes,
        "false_rejects": point.false_rejects,
    }


def _classes(point: TunedPoint, now: TunedPoint) -> list[dict[str, Any]]:
    return [
        {"name": shown(name), "escapes": share, "now": now.escapes_of[name]}
        for name, share in point.escapes_of.items()
    ]
