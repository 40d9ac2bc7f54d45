"""The page of a training run: what it reaches per class, how it got there, what it got wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecl.learning.documents import EpochMeasures, RunConfig, RunResult
from edgecl.learning.evaluation.mistakes import SHOWN
from edgecl.learning.run.preparation import WITHOUT_GROUPS
from edgecl.reporting.numbers import amount, decimal, duration, number, percent
from edgecl.reporting.page import write_page
from edgecl.reporting.pages.sections.mistakes import (
    are_wide,
    mistake_cards,
    mistake_rows,
    mistakes_text,
)
from edgecl.reporting.pages.sections.per_class import class_rows, confusion_table
from edgecl.reporting.pages.sections.rivals import rivals_of, rivals_text
from edgecl.reporting.pages.sections.shifts import shifts_text
from edgecl.reporting.pages.sections.suspects import suspect_cards, suspects_text
from edgecl.reporting.plots import training as plots
from edgecl.reporting.plots.calibration import (
    FEW,
    leaning,
    reliability_bins,
    reliability_plot,
    scores_text,
)
from edgecl.reporting.plots.embedding import (
    embedding_legend,
    embedding_plot,
    embedding_points,
    embedding_text,
)
from edgecl.reporting.run_files import read_run
from runtime.counting import counted
from runtime.files.document import plain

PAGE = "report.html"


def training_page(run: Path) -> Path:
    """Write `report.html` into a run directory.

    Args:
        run: what `edgecl train` wrote: result.json, and where they are there config.json,
            metrics.jsonl, predictions.csv, embedding.csv and the folder mistakes.

    Returns:
        The page's path.

    Raises:
        InputError: there is no readable result.json, or the folder cannot be written.
    """
    files = read_run(run)
    result, history = files.result, files.metrics
    pretrain = [line for line in history if line.stage == "pretrain"]
    finetune = [line for line in history if line.stage == "finetune"]
    best = result.best_epoch
    classes, scale_start = class_rows(result)
    curves = plots.roc_curves(result)
    wrong = mistake_rows(files.predictions)
    cards = mistake_cards(files.mistakes or ())
    suspects = suspect_cards(files.suspects or ()) if result.suspects else []
    ranks = {card["file"]: card["rank"] for card in cards}
    bins = reliability_bins(result.reliability)
    labels = result.labels
    points = embedding_points(files.embedding, labels)
    numbered = any(point.file in ranks for point in points if not point.right)
    return write_page(
        "training.html",
        run / PAGE,
        name=run.absolute().name,
        subtitle=_subtitle(result),
        protocol=_protocol(result),
        figures=_figures(result, classes),
        classes=classes,
        scale_start=scale_start,
        has_auc=any(row["auc"] is not None for row in classes),
        confusion=confusion_table(result),
        roc=plots.roc_plot(curves),
        roc_legend=plots.roc_legend(curves, result.auc),
        rivals=rivals_of(result),
        rivals_text=rivals_text(result),
        cards=cards,
        wide=are_wide(cards),
        mistakes=wrong[:SHOWN],
        mistakes_text=mistakes_text(
            len(wrong), len(files.predictions), len(cards) or min(len(wrong), SHOWN)
        ),
        tested=len(files.predictions),
        reliability=reliability_plot(bins),
        calibration_text=scores_text(result, bins),
        few=FEW,
        bin_count=len(result.reliability),
        embedding=embedding_plot(points, labels, ranks),
        embedding_legend=embedding_legend(points, labels),
        embedding_text=embedding_text(result.embedding, points, numbered),
        shifts=plots.shift_plot(result.shifts) if result.shifts else None,
        shifts_text=shifts_text(result.shifts) if result.shifts else "",
        suspects=suspects,
        suspects_wide=are_wide(suspects),
        suspects_text=suspects_text(result.suspects) if result.suspects else "",
        finetune=plots.finetune_plots(finetune, best),
        finetune_text=_finetune_text(finetune, best),
        pretrain=plots.pretrain_plots(pretrain),
        pretrain_text=_pretrain_text(pretrain),
        notes=[*result.notes, *files.problems],
        facts=_facts(result, files.config),
        source=", ".join(files.found),
    )


def _figures(result: RunResult, classes: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    low, high = result.accuracy_interval
    tested = result.counts.get("test")
    known = [row for row in classes if row["recall"] is not None]
    worst = min(known, key=lambda row: row["recall"], default=None)
    figures = [
        ("Test accuracy", percent(result.accuracy), f"95 %: {percent(low)} to {percent(high)}"),
        ("Macro F1", decimal(result.macro_f1), f"{tested} images" if tested else ""),
    ]
    if worst is not None:
        figures.append(("Lowest recall", percent(worst["recall"]), worst["label"]))
    if result.ece is not None:
        bins = reliability_bins(result.reliability)
        figures.append(("Calibration error", percent(result.ece), leaning(bins)))
    figures += [
        ("Parameters", amount(result.parameters), f"{amount(result.macs)}MAC per image"),
        (
            "Training",
            duration(result.seconds),
            ", ".join(f"{name} {duration(time)}" for name, time in result.stages.items()),
        ),
    ]
    return figures


def _protocol(result: RunResult) -> dict[str, Any]:
    split, note = result.split, result.protocol_note
    title, mark = {
        "paper": ("Paper's protocol: it leaks.", "✗"),
        "grouped": ("Grouped split.", "✓"),
    }.get(split, (f"Split: {split}.", "✓"))
    if split == "grouped" and WITHOUT_GROUPS in note:
        title, mark = "Grouped split without groups: it may leak.", "✗"
    if note.startswith("leaks:"):
        title, mark = "Pretrained on held-out images: it leaks.", "✗"
    return {"leaks": mark == "✗", "mark": mark, "title": title, "text": note}


def _subtitle(result: RunResult) -> str:
    none = result.method == "none"
    height, width = result.image_size
    parts = [
        result.encoder,
        "no pretraining" if none else f"pretrained by {result.method}",
        f"{height}×{width} pixels" + (" in tiles" if result.tiling is not None else ""),
    ]
    names = ("train", "validation", "test")
    if all(name in result.counts for name in names):
        parts.append(", ".join(f"{result.counts[name]} {name}" for name in names) + " images")
    return " · ".join(parts)


def _finetune_text(lines: Sequence[EpochMeasures], best: int) -> str:
    text = f"{counted(len(lines), 'epoch')}."
    for line in lines:
        if line.epoch == best and number(line.val_accuracy) is not None:
            text += (
                f" Epoch {best} was the best (validation accuracy "
                f"{percent(line.val_accuracy)}, loss {decimal(line.val_loss)}); "
                "its weights were kept."
            )
    return text


def _pretrain_text(lines: Sequence[EpochMeasures]) -> str:
    text = (
        f"{counted(len(lines), 'epoch')} without labels. Contrastive accuracy: how often the other "
        "view of the same image is the nearest one in the batch."
    )
    probes = [line for line in lines if number(line.probe_accuracy) is not None]
    if probes:
        last = percent(probes[-1].probe_accuracy)
        text += f" A linear probe on the frozen encoder reached {last}."
    return text


def _facts(result: RunResult, config: RunConfig | None) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if config is not None:
        facts += [
            (name.replace("_", " "), _plain(value))
            for name, value in config.choices.to_json().items()
            if value not in (None, "", [], ())
        ]
    facts += [
        (name, f"{result.counts[key]}")
        for name, key in (("unlabelled images", "unlabelled"), ("groups", "groups"))
        if result.counts.get(key)
    ]
    if config is not None:
        facts += [(name, _plain(version)) for name, version in config.versions.items()]
        if config.machine is not None:
            facts += [(name, _plain(value)) for name, value in plain(config.machine).items()]
        facts.append(("data digest", config.data_digest[:16]))
    return facts


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        if len(value) == 2 and all(isinstance(item, int) for item in value):
            return f"{value[0]}×{value[1]}"
        return ", ".join(str(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
