"""The page of a training run: what it reaches per class, how it got there, what it got wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecl.reporting import training_plots as plots
from edgecl.reporting.numbers import amount, decimal, duration, number, percent
from edgecl.reporting.page import write_page
from edgecl.reporting.per_class import class_rows, confusion_table
from edgecl.reporting.run_files import read_run

PAGE = "report.html"
MISTAKES = 12


def training_page(run: Path) -> Path:
    """Write `report.html` into a run directory.

    Args:
        run: what `edgecl train` wrote: result.json, and where they are there config.json,
            metrics.jsonl and predictions.csv.

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
    wrong = _mistakes(files.predictions)
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
        roc=plots.roc_plot(result.get("roc") or {}, result.get("auc") or {}),
        finetune=plots.finetune_plots(finetune, best),
        finetune_text=_finetune_text(finetune, best),
        pretrain=plots.pretrain_plots(pretrain),
        pretrain_text=_pretrain_text(pretrain),
        mistakes=wrong[:MISTAKES],
        mistakes_text=_mistakes_text(wrong, len(files.predictions)),
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
        ("Macro F1", decimal(result.get("macro_f1")), f"{tested} pictures" if tested else ""),
    ]
    if worst is not None:
        figures.append(("Lowest recall", percent(worst["recall"]), worst["label"]))
    macs = number(result.get("macs"))
    figures += [
        (
            "Parameters",
            amount(result.get("parameters")),
            f"{amount(macs)}MAC per picture" if macs is not None else "",
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
    pictures = sum(counts.get(part, 0) for part in ("train", "validation", "test"))
    alone = counts.get("groups", pictures) >= pictures  # every picture is its own group
    if split == "grouped" and choices.get("data") and not choices.get("groups") and alone:
        title, mark = "Grouped split without groups: it may leak.", "✗"
    if note.startswith("leaks:"):
        title, mark = "Pretrained on held-out pictures: it leaks.", "✗"
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
        parts.append(", ".join(f"{counts[name]} {name}" for name in names) + " pictures")
    return " · ".join(parts)


def _finetune_text(lines: Sequence[Mapping[str, Any]], best: Any) -> str:
    text = f"{len(lines)} epochs."
    for line in lines:
        if line.get("epoch") == best and number(line.get("val_accuracy")) is not None:
            text += (
                f" The best was epoch {best}: validation accuracy "
                f"{percent(line['val_accuracy'])}, loss {decimal(line.get('val_loss'))}. "
                "Its weights were kept."
            )
    return text


def _pretrain_text(lines: Sequence[Mapping[str, Any]]) -> str:
    text = (
        f"{len(lines)} epochs without labels. Contrastive accuracy: how often the other view of "
        "the same picture is the nearest in the batch."
    )
    probes = [line for line in lines if number(line.get("probe_accuracy")) is not None]
    if probes:
        last = percent(probes[-1]["probe_accuracy"])
        text += f" A linear probe on the frozen encoder reached {last}."
    return text


def _mistakes(predictions: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    wrong = []
    for row in predictions:
        if row.get("truth") == row.get("predicted"):
            continue
        try:
            confidence = float(row.get("confidence") or "nan")
        except ValueError:
            confidence = float("nan")
        wrong.append(
            {
                "file": row.get("file") or "–",
                "truth": row.get("truth") or "–",
                "predicted": row.get("predicted") or "–",
                "confidence": number(confidence),
            }
        )
    return sorted(wrong, key=lambda row: row["confidence"] or 0.0, reverse=True)


def _mistakes_text(wrong: Sequence[Any], tested: int) -> str:
    shown = f", the first {MISTAKES} of them here" if len(wrong) > MISTAKES else ""
    return f"{len(wrong)} of {tested} pictures were answered wrongly{shown}."


def _facts(result: Mapping[str, Any], config: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        (name.replace("_", " "), _plain(value))
        for name, value in (config.get("choices") or {}).items()
        if value not in (None, "", [], ())
    ]
    counts = result.get("counts") or {}
    facts += [
        (name, f"{counts[key]}")
        for name, key in (("unlabelled pictures", "unlabelled"), ("groups", "groups"))
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
