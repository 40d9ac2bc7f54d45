"""`edgecl tune`: choose the thresholds of a line from images whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgecl.cli.progress import reporting, stderr_console
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.tune.line import TunedLine, read_line
from edgecl.cli.tune.options import tune_options
from edgecl.cli.verb import Verb
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.tuning.choice import TuningRule
    from edgecl.tuning.documents import TunedPoint, TuningSummary
    from edgecl.tuning.sources import TuningImages
    from runtime.session import Session

NOTES_SHOWN = 6


@dataclass(frozen=True)
class TuneChoices:
    """Choices of the user, as the options name them."""

    model: Path | None
    data: tuple[Path, ...]
    groups: Path | None
    reviewed: tuple[Path, ...]
    run: Path | None
    max_escapes: tuple[str, ...]
    max_false_rejects: str | None
    config: Path | None
    pass_labels: tuple[str, ...]
    precision: str | None
    device: str
    out: Path
    as_json: bool

    def rule(self) -> TuningRule | None:
        """Return what the threshold has to keep; None where nothing was asked.

        Raises:
            InputError: a limit is given twice, or to a label that has none.
        """
        from edgecl.tuning.choice import TuningRule, parse_limit

        if self.max_false_rejects is not None:
            label, share = parse_limit(self.max_false_rejects)
            if label:
                raise InputError(
                    "--max-false-rejects is for all good parts together",
                    hint="pass a share alone, as in 2%",
                )
            return TuningRule(max_false_rejects=share)
        if not self.max_escapes:
            return None
        found: dict[str, float] = {}
        for text in self.max_escapes:
            label, share = parse_limit(text)
            if label in found:
                raise InputError(
                    f"--max-escapes of {label or 'all defects'} is given twice",
                    hint="keep one of them",
                )
            found[label] = share
        return TuningRule(found.pop("", None), found)


@click.command("tune", cls=Verb, short_help="Choose a line's thresholds.")
@tune_options
@click.pass_context
def command(context: click.Context, /, **values: Any) -> None:
    """Choose from which confidence on a pass label lets a part pass, and prove the choice.

    Judge images whose truth is known, count escapes and false rejects at every threshold, draw
    them, and choose by a rule. What is chosen keeps to its limit with 95 % confidence; where the
    images are too few for that, say how many it takes. With --config, write it into the file.
    """
    from runtime.files.output_folder import own_file

    choices = TuneChoices(**values)
    if not (choices.data or choices.reviewed or choices.run):
        raise InputError(
            "there are no images to tune on",
            hint="pass --data DIR, --reviewed FOLDER or --run RUN",
        )
    rule = choices.rule()
    line = read_line(choices.config)
    if rule is not None and line.path is not None:
        from edgecl.tuning.config_file import require_editor

        require_editor()
    named = context.get_parameter_source("out") is ParameterSource.COMMANDLINE
    place = own_file(
        choices.out, replace=named, hint="pass it with --out to replace it, or choose another file"
    )
    with place:
        summary = _tuned(choices, line, rule)
    results_are_in(choices.out, printed=choices.as_json)
    if choices.as_json:
        from runtime.files.document import plain

        print_json(plain(summary))
    else:
        _print(summary)


def _tuned(choices: TuneChoices, line: TunedLine, rule: TuningRule | None) -> TuningSummary:
    """Judge, choose, write the page, and then the configuration."""
    from edgecl.reporting.pages.tuning import tuning_page
    from edgecl.tuning.choice import chosen_point
    from edgecl.tuning.curve import curve_of
    from edgecl.tuning.documents import TuningSummary
    from edgecl.tuning.judged import grouped
    from edgecl.tuning.result import documented, point_now

    found, session = _judged(choices, line)
    labels = _pass_labels(choices, line, session)
    groups = grouped(found.images, labels)
    _require_both(found, groups.defect.tolist(), labels)
    _require_known(rule, groups.classes, session.contract.labels, labels)
    curve = curve_of(groups)
    chosen = None if rule is None else chosen_point(curve, rule)
    below, below_of = line.thresholds()
    now = point_now(found.images, labels, below, below_of)
    writes = chosen is not None and line.path is not None
    summary = TuningSummary(
        model=str(choices.model or line.value("model")),
        precision=session.precision,
        engine=session.engine,
        pass_labels=tuple(labels),
        rule=None if rule is None else str(rule),
        chosen=None if chosen is None else documented(chosen),
        now=documented(now),
        curve=tuple(documented(point) for point in curve),
        images=found.by_source,
        groups=len(groups),
        notes=(*found.notes, *_notes(line)),
        config=str(line.path) if writes else None,
        page=str(choices.out),
    )
    tuning_page(choices.out, summary, rule)
    if writes and chosen is not None:
        line.write(dict.fromkeys(labels, chosen.threshold))
    return summary


def _judged(choices: TuneChoices, line: TunedLine) -> tuple[TuningImages, Session]:
    from edgecl.cli.run.model.source import newest_bundle
    from edgecl.tuning.sources import TuningSources, judge_sources
    from runtime.artifact.bundle import load_bundle
    from runtime.novelty import novelty_beside
    from runtime.session import open_session

    bundle = load_bundle(choices.model or line.value("model") or newest_bundle())
    novelty = None if line.value("unknown", "on") == "off" else novelty_beside(bundle)
    precision = choices.precision or line.value("precision", "auto")
    sources = TuningSources(choices.data, choices.groups, choices.reviewed, choices.run)
    with (
        open_session(bundle, precision, device=choices.device) as session,
        reporting(stderr_console()) as report,
    ):
        bits = _set_view(session, line)
        found = judge_sources(
            sources,
            bundle,
            session,
            novelty,
            line.value("unknown_above", 1.0),
            report,
            bits,
        )
    return found, session


def _set_view(session: Session, line: TunedLine) -> int | None:
    """Let the session see of an image what the line sees of a frame."""
    from edgecl.cli.run.frame_view import see_as

    return see_as(
        session,
        line.value("roi"),
        line.value("flat"),
        line.value("bits"),
        lambda text: stderr_console().print(f"note: {text}", markup=False),
    )


def _pass_labels(choices: TuneChoices, line: TunedLine, session: Session) -> Sequence[str]:
    contract = session.contract
    labels = choices.pass_labels or tuple(line.value("pass_labels", ())) or contract.pass_labels
    for label in labels:
        if label not in contract.labels:
            raise InputError(
                f"--pass-label: the model has no label {label!r}",
                hint=f"choose from {', '.join(contract.labels)}",
            )
    if not labels:
        raise InputError(
            "the model has no pass label, so nothing passes at any threshold",
            hint=f"name one with --pass-label: {', '.join(contract.labels)}",
        )
    return tuple(dict.fromkeys(labels))


def _require_both(found: TuningImages, defect: Sequence[bool], labels: Sequence[str]) -> None:
    for wanted, what in ((True, "defects"), (False, "good parts")):
        if wanted not in defect:
            raise InputError(
                f"none of the {len(found.images)} images shows {what} (pass labels: "
                f"{', '.join(labels)})",
                hint="add such images, or name the pass labels with --pass-label",
            )


def _require_known(
    rule: TuningRule | None, classes: Sequence[str], labels: Sequence[str], passing: Sequence[str]
) -> None:
    defects = (set(classes) | set(labels)) - set(passing)
    for label in rule.max_escapes_of if rule is not None else ():
        if label not in defects:
            raise InputError(
                f"--max-escapes: {label!r} is not a defect of these images or of the model",
                hint=f"choose from {', '.join(sorted(defects))}",
            )


def _notes(line: TunedLine) -> list[str]:
    notes = []
    if line.value("debounce"):
        notes.append("debounce, which lets single rejects pass, is not counted here")
    if line.value("on_late") == "pass":
        notes.append("late frames, which pass on this line, are not counted here")
    return notes


def _print(summary: TuningSummary) -> None:
    from runtime.counting import counted
    from runtime.image.folder.notes import shown

    total = sum(summary.images.values())
    click.echo(f"{counted(total, 'image')} in {counted(summary.groups, 'group')}")
    click.echo(f"now, {summary.now.threshold:g}: {_outcome(summary.now)}")
    if summary.chosen is not None:
        labels = ", ".join(shown(label) for label in summary.pass_labels)
        click.echo(f"{summary.rule}:")
        click.echo(f"{labels} from {summary.chosen.threshold:g}: {_outcome(summary.chosen)}")
        for name, share in summary.chosen.escapes_of.items():
            if share.found:
                click.echo(f"  {shown(name)}: {share.found} of {share.count} escape")
    for note in summary.notes[:NOTES_SHOWN]:
        click.echo(f"note: {note}")
    if summary.config is not None:
        click.echo(f"written to {summary.config}")
    click.echo(summary.page)


def _outcome(point: TunedPoint) -> str:
    from edgecl.reporting.numbers import percent, percent_range

    def told(name: str) -> str:
        share = getattr(point, name)
        low, high = share.interval or (None, None)
        return f"{percent(share.share, 2)} ({percent_range(low, high)})"

    return f"escapes {told('escapes')}, false rejects {told('false_rejects')}"
