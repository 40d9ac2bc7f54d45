"""The page of a training run: what it reaches per class, how it got there, what it got wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecl.learning.evaluation.mistakes import SHOWN
from edgecl.reporting.numbers import amount, decimal, duration, number, percent
from edgecl.reporting.page import write_page
from edgecl.reporting.pages.mistakes import are_wide, mistake_cards, mistake_rows, mistakes_text
from edgecl.reporting.pages.per_class import class_rows, confusion_table, labels_of
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
    pretrain = [line for line in history if line.get("stage") == "pretrain"]
    finetune = [line for line in history if line.get("stage") == "finetune"]
    best = result.get("best_epoch")
    classes, scale_start = class_rows(result)
    curves = plots.roc_curves(result)
    wrong = mistake_rows(files.predictions)
    cards = mistake_cards(files.mistakes or ())
    ranks = {card["file"]: card["rank"] for card in cards}
    bins = reliability_bins(result)
    labels = labels_of(result)
    points = embedding_points(files.embedding, labels)
    return write_page(
        "training.html",
        run / PAGE,
        name=run.absolute().name,
        subtitle=_subtitle(result),
        protocol=_protocol(result, files.config),
        figures=_figures(result, classes),
        classes=classes,
        scale_start=scale_start,
        has_auc=any(row["auc"] is not None for row in classes),
        confusion=confusion_table(result),
        roc=plots.roc_plot(curves),
        roc_legend=plots.roc_legend(curves, result.get("auc") or {}),
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
        bin_count=len(result.get("reliability") or ()),
        embedding=embedding_plot(points, labels, ranks),
        embedding_legend=embedding_legend(points, labels),
        embedding_text=embedding_text(
            result, points, any(point.file in ranks for point in points if not point.right)
        ),
        finetune=plots.finetune_plots(finetune, best),
        finetune_text=_finetune_text(finetune, best),
        pretrain=plots.pretrain_plots(pretrain),
        pretrain_text=_pretrain_text(pretrain),
        notes=[*(str(note) for note in result.get("notes") or ()), *files.problems],
        facts=_facts(result, files.config),
        source=", ".join(files.found),
    )


def _figures(
    result: Mapping[str, Any], classes: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str, str]]:
    interval = result.get("accuracy_interval")
    counts = result.get("counts") or {}
    tested = counts.get("test")
    known = [row for row in classes if row["recall"] is not None]
    worst = min(known, key=lambda row: row["recall"], default=None)
    stages = result.get("stages") or {}
    figures = [
        (
            "Test accuracy",
            percent(result.get("accuracy")),
            f"95 %: {percent(interval[0])} to {percent(interval[1])}" if interval else "",
        ),
        ("Macro F1", decimal(result.get("macro_f1")), f"{tested} images" if tested else ""),
    ]
    if worst is not None:
        figures.append(("Lowest recall", percent(worst["recall"]), worst["label"]))
    error = number(result.get("ece"))
    if error is not None:
        figures.append(("Calibration error", percent(error), leaning(reliability_bins(result))))
    macs = number(result.get("macs"))
    figures += [
        (
            "Parameters",
            amount(result.get("parameters")),
            f"{amount(macs)}MAC per image" if macs is not None else "",
        ),
        (
            "Training",
            duration(result.get("seconds")),
            ", ".join(f"{name} {duration(time)}" for name, time in stages.items()),
        ),
    ]
    return figures


def _protocol(result: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any] | None:
    split = result.get("split")
    note = str(result.get("protocol_note") or "")
    if split is None and not note:
        return None
    title, mark = {
        "paper": ("Paper's protocol: it leaks.", "✗"),
        "grouped": ("Grouped split.", "✓"),
    }.get(str(split), (f"Split: {split}.", "✓"))
    choices = config.get("choices") or {}
    counts = result.get("counts") or {}
    images = sum(counts.get(part, 0) for part in ("train", "validation", "test"))
    alone = counts.get("groups", images) >= images  # every image is its own group
    if split == "grouped" and choices.get("data") and not choices.get("groups") and alone:
        title, mark = "Grouped split without groups: it may leak.", "✗"
    if note.startswith("leaks:"):
        title, mark = "Pretrained on held-out images: it leaks.", "✗"
    return {"leaks": mark == "✗", "mark": mark, "title": title, "text": note}


def _subtitle(result: Mapping[str, Any]) -> str:
    parts = []
    if result.get("encoder"):
        parts.append(str(result["encoder"]))
    if result.get("method"):
        none = result["method"] == "none"
        parts.append("no pretraining" if none else f"pretrained by {result['method']}")
    size = result.get("image_size")
    if isinstance(size, list | tuple) and len(size) == 2:
        parts.append(f"{size[0]}×{size[1]} pixels")
    counts = result.get("counts") or {}
    names = ("train", "validation", "test")
    if all(counts.get(name) is not None for name in names):
        parts.append(", ".join(f"{counts[name]} {name}" for name in names) + " images")
    return " · ".join(parts)


def _finetune_text(lines: Sequence[Mapping[str, Any]], best: Any) -> str:
    text = f"{len(lines)} epochs."
    for line in lines:
        if line.get("epoch") == best and number(line.get("val_accuracy")) is not None:
            text += (
                f" Epoch {best} was the best (validation accuracy "
                f"{percent(line['val_accuracy'])}, loss {decimal(line.get('val_loss'))}); "
                "its weights were kept."
            )
    return text


def _pretrain_text(lines: Sequence[Mapping[str, Any]]) -> str:
    text = (
        f"{len(lines)} epochs without labels. Contrastive accuracy: how often the other "
        "view of the same image is the nearest one in the batch."
    )
    probes = [line for line in lines if number(line.get("probe_accuracy")) is not None]
    if probes:
        last = percent(probes[-1]["probe_accuracy"])
        text += f" A linear probe on the frozen encoder reached {last}."
    return text


def _facts(result: Mapping[str, Any], config: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        (name.replace("_", " "), _plain(value))
        for name, value in (config.get("choices") or {}).items()
        if value not in (None, "", [], ())
    ]
    counts = result.get("counts") or {}
    facts += [
        (name, f"{counts[key]}")
        for name, key in (("unlabelled images", "unlabelled"), ("groups", "groups"))
        if counts.get(key)
    ]
    for section in ("versions", "machine"):
        facts += [(str(name), _plain(value)) for name, value in (config.get(section) or {}).items()]
    if config.get("data_digest"):
        facts.append(("data digest", str(config["data_digest"])[:16]))
    return facts


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        if len(value) == 2 and all(isinstance(item, int) for item in value):
            return f"{value[0]}×{value[1]}"
        return ", ".join(str(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
