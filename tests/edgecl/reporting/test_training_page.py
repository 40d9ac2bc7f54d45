"""The page of a run: whole from any result, self-contained, and safe with any name."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import Markup

from edgecl.data.camera_shifts import SHIFTS
from edgecl.learning.config import TrainConfig
from edgecl.learning.documents import RunConfig
from edgecl.learning.evaluation.suspects import Suspect, write_suspects
from edgecl.reporting.numbers import amount, duration, milliseconds, percent
from edgecl.reporting.pages.training import training_page
from runtime.errors import InputError
from runtime.files.document import plain

HOSTILE = "<script>alert('x')</script>"
RESULT: dict[str, Any] = {
    "accuracy": 0.9,
    "accuracy_interval": [0.85, 0.94],
    "macro_f1": 0.89,
    "recall": {"crazing": 0.8, "patches": 1.0},
    "labels": ["crazing", "patches"],
    "confusion": [[8, 2], [0, 10]],
    "auc": {"crazing": 0.95, "patches": None},
    "roc": {"crazing": {"fpr": [0, 0, 0.5, 1], "tpr": [0, 0.8, 0.9, 1]}},
    "split": "grouped",
    "protocol_note": "Groups stay together.",
    "counts": {"train": 60, "validation": 20, "test": 20, "groups": 12, "unlabelled": 0},
    "encoder": "shufflenet",
    "method": "simclr",
    "image_size": [128, 800],
    "parameters": 1260000,
    "macs": 295_000_000,
    "seconds": 754.0,
    "stages": {"pretrain": 500.0, "finetune": 254.0},
    "best_epoch": 2,
    "notes": ["a.jpg was skipped: the JPEG is truncated"],
}
METRICS: list[dict[str, Any]] = [
    *(
        {
            "stage": "pretrain",
            "epoch": n,
            "loss": 4 - n,
            "contrastive_accuracy": n / 5,
            "probe_accuracy": None if n < 3 else 0.7,
        }
        for n in (1, 2, 3)
    ),
    *(
        {
            "stage": "finetune",
            "epoch": n,
            "train_loss": 1 / n,
            "train_accuracy": n / 4,
            "val_loss": 1.1 / n,
            "val_accuracy": n / 5,
        }
        for n in (1, 2, 3)
    ),
]


def config_of(**choices: Any) -> dict[str, Any]:
    """config.json with some choices, the others as they are by default."""
    found = RunConfig(
        choices=TrainConfig(**choices),
        labels=("crazing", "patches"),
        data_digest="0" * 64,
        versions={"torch": "2.13"},
    )
    return plain(found)


def write_run(folder: Path, result=RESULT, metrics=METRICS, rows=(), config=None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in metrics))
    if rows:
        with open(folder / "predictions.csv", "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file", "group", "truth", "predicted", "confidence"])
            writer.writerows(rows)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare tests of what a page says its plots, which take nearly all of its time."""
    for name in ("calibration", "embedding", "training"):
        monkeypatch.setattr(f"edgecl.reporting.plots.{name}.to_svg", lambda *_: Markup(""))


def test_a_full_run(tmp_path, check_page):
    rows = [
        ("right.png", "1", "patches", "patches", "0.99"),
        ("sure.png", "2", "crazing", "patches", "0.97"),
        ("torn.png", "3", "crazing", "patches", "0.51"),
    ]
    config = config_of(data="neu", groups="neu.csv", image_size=(128, 800))
    path = training_page(write_run(tmp_path / "night-7", rows=rows, config=config))
    assert path == tmp_path / "night-7" / "report.html"
    page = check_page(path)
    for text in ("night-7", "90.0 %", "85.0 % to 94.0 %", "0.890", "1.26 M", "295 MMAC"):
        assert text in page.text
    for text in ("Grouped split", "12 min 34 s", "truncated", "128×800", "best, epoch 2"):
        assert text in page.text
    assert page.text.index("sure.png") < page.text.index("torn.png")
    assert "right.png" not in page.text
    assert page.tags.count("svg") == 5


def test_the_least_that_a_result_may_hold(tmp_path, check_page):
    empty: dict[str, Any] = {
        "confusion": [],
        "auc": {},
        "roc": {},
        "notes": [],
        "stages": {},
        "counts": {},
    }
    page = check_page(training_page(write_run(tmp_path / "run", RESULT | empty, metrics=())))
    assert "90.0 %" in page.text
    assert "svg" not in page.tags


@pytest.mark.parametrize("gone", sorted(RESULT))
def test_a_result_that_lacks_a_field_is_refused_and_the_field_named(tmp_path, gone):
    without = {key: value for key, value in RESULT.items() if key != gone}
    with pytest.raises(InputError, match=rf"result\.json .* lacks the field '{gone}'"):
        training_page(write_run(tmp_path, without))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("accuracy", "0.9", "expected float, got str in 'accuracy'"),
        ("accuracy_interval", [0.9], "expected array of length 2, got 1 in 'accuracy_interval'"),
        ("labels", None, "expected array, got null in 'labels'"),
    ],
)
def test_a_result_with_another_type_is_refused_and_both_named(tmp_path, field, value, problem):
    with pytest.raises(InputError, match=problem):
        training_page(write_run(tmp_path, RESULT | {field: value}))


def test_without_pretraining_there_is_no_curve_of_it(tmp_path, check_page):
    finetune = [line for line in METRICS if line["stage"] == "finetune"]
    page = check_page(training_page(write_run(tmp_path, {**RESULT, "method": "none"}, finetune)))
    assert "Pretraining" not in page.text
    assert "no pretraining" in page.text


@pytest.mark.usefixtures("without_plots")
def test_the_papers_protocol_is_called_what_it_is(tmp_path, check_page):
    page = check_page(training_page(write_run(tmp_path, {**RESULT, "split": "paper"})))
    assert "it leaks" in page.text


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize(
    ("note", "leaks"),
    [
        ("grouped, but without --groups: every image counts as its own group.", True),
        ("grouped: no overlap group is in two parts of the split.", False),
    ],
)
def test_a_grouped_split_without_groups_gets_no_tick(tmp_path, check_page, note, leaks):
    run = write_run(tmp_path, {**RESULT, "protocol_note": note})
    assert ("may leak" in check_page(training_page(run)).text) == leaks


@pytest.mark.usefixtures("without_plots")
def test_an_allowed_leak_stands_on_the_page(tmp_path, check_page):
    note = "leaks: 3 of 9 unlabelled images are copies; grouped: no group is on two sides."
    page = check_page(training_page(write_run(tmp_path, {**RESULT, "protocol_note": note})))
    assert "Pretrained on held-out images: it leaks." in page.text


@pytest.mark.parametrize("label", [HOSTILE, 'a$b$c x--><b> " onload="', "_hidden 猫 😀"])
def test_labels_are_text_whatever_they_say(tmp_path, label, check_page):
    result = {
        **RESULT,
        "labels": [label, "patches"],
        "recall": {label: 0.8, "patches": 1.0},
        "roc": {label: RESULT["roc"]["crazing"]},
        "auc": {label: 0.95},
        "notes": [label],
        "encoder": label,
    }
    rows = [(label, "1", label, "patches", "0.9")]
    page = check_page(
        training_page(write_run(tmp_path, result, rows=rows, config=config_of(weights=label)))
    )
    assert page.text.count(label) >= 7


def test_many_classes_one_of_them_never_tested(tmp_path, check_page):
    labels = [f"class {n}" for n in range(20)]
    confusion = [[10 if n == m else 0 for m in range(20)] for n in range(20)]
    confusion[3] = [0] * 20
    result = {
        **RESULT,
        "accuracy": 1.0,
        "labels": labels,
        "recall": dict.fromkeys(labels, 1.0) | {"class 3": 0.0},
        "confusion": confusion,
        "roc": {label: {"fpr": [0, 0, 1], "tpr": [0, 1, 1]} for label in labels},
    }
    page = check_page(training_page(write_run(tmp_path, result)))
    # A class without images is no class that was missed.
    assert "0.0 %" not in re.sub(r"\d0\.0 %", "", page.text)


def test_damaged_side_files_are_noted_not_fatal(tmp_path, check_page):
    run = write_run(tmp_path)
    with open(run / "metrics.jsonl", "a") as stream:
        stream.write('\n{"stage": "finetune", "epoch": 4, "train_l')
    (run / "config.json").write_text("{")
    (run / "predictions.csv").write_bytes(b"file,truth\n\xff\xfe,\x00\n")
    page = check_page(training_page(run))
    assert "1 damaged line" in page.text
    assert "config.json is damaged" in page.text


def test_numbers_that_are_none(tmp_path, check_page):
    nan = [{**line, "val_loss": float("nan"), "train_loss": None} for line in METRICS]
    check_page(training_page(write_run(tmp_path, {**RESULT, "macro_f1": float("nan")}, nan)))


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_a_run_without_a_result_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "result.json").write_text(text)
    with pytest.raises(InputError, match=r"result\.json"):
        training_page(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_numbers_for_people():
    assert percent(0.9996, 1) == "99.9 %"
    assert percent(1.0) == "100.0 %"
    assert percent(None) == percent(float("nan")) == percent("x") == "–"
    assert [milliseconds(value) for value in (0.01234, 0.5261, 12.34, 1234.5, 0)] == [
        "0.0123",
        "0.526",
        "12.3",
        "1234",
        "0",
    ]
    assert [duration(value) for value in (3.21, 59.99, 3599.6, 7260)] == [
        "3.2 s",
        "60.0 s",
        "1 h 0 min",
        "2 h 1 min",
    ]
    assert [amount(value) for value in (999, 12_345, 1_260_000, 22.6e9)] == [
        "999",
        "12.3 k",
        "1.26 M",
        "22.6 G",
    ]


def shifted(**changes: Any) -> dict[str, Any]:
    """A result with the camera's shifts; some have other figures."""
    shifts = [
        {"name": shift.name, "kind": shift.kind, "amount": shift.amount}
        | {"accuracy": 0.85, "escapes": 0.1}
        | changes.get(shift.kind, {})
        for shift in SHIFTS
    ]
    report = {"images": 15, "of": 20, "shifted": "images at the tiles' scale"}
    return {**RESULT, "shifts": {**report, "accuracy": 0.9, "escapes": 0.05, "shifts": shifts}}


def test_camera_shifts_are_drawn_and_the_worst_is_named(tmp_path, check_page):
    result = shifted(rotation={"accuracy": 0.415, "escapes": 0.365})
    page = check_page(training_page(write_run(tmp_path / "run", result)))
    assert all(shift.name in page.text for shift in SHIFTS)
    for text in ("15 of the 20 test images", "the tiles' scale", "under rotation 5°", "36.5 %"):
        assert text in page.text
    assert page.text.count("41.5 %") == 3
    assert "defects that pass" in page.text
    assert page.tags.count("svg") == 6


def test_without_pass_labels_only_accuracy_is_drawn(tmp_path, check_page):
    result = shifted(**{shift.kind: {"accuracy": 0.8, "escapes": None} for shift in SHIFTS})
    result["shifts"]["escapes"] = None
    page = check_page(training_page(write_run(tmp_path / "run", result)))
    assert "When the camera drifts" in page.text
    assert "pass" not in page.text[page.text.index("When the camera drifts") :]
    page = check_page(training_page(write_run(tmp_path / "old")))
    assert "When the camera drifts" not in page.text


@pytest.mark.usefixtures("without_plots")
def test_suspected_labels_are_cards_that_say_what_they_are_and_are_not_fetched(
    tmp_path, check_page
):
    result = {**RESULT, "suspects": {"examined": 80, "found": 30, "listed": 2}}
    run = write_run(tmp_path / "run", result)
    pixels = np.zeros((20, 30), np.uint8)
    suspects = [
        Suspect(row, part, 0, 1, 0.012, 0.971) for row, part in ((0, "train"), (1, "validation"))
    ]
    files, labels = ("a.png", f"{HOSTILE}.png"), ("crazing", HOSTILE)
    write_suspects(run, suspects, images=np.stack([pixels] * 2), files=files, labels=labels)
    page = check_page(training_page(run))
    for text in (
        "30 of 80 labels",
        "surest 2",
        "a.png",
        "1.2 %",
        "97.1 %",
        "(validation)",
        HOSTILE,
    ):
        assert text in page.text
    assert page.tags.count("img") == 2


@pytest.mark.usefixtures("without_plots")
def test_where_no_label_is_suspected_the_page_says_so(tmp_path, check_page):
    result = {**RESULT, "suspects": {"examined": 80, "found": 0, "listed": 0}}
    page = check_page(training_page(write_run(tmp_path / "run", result)))
    assert "None of 80 labels" in page.text
    page = check_page(training_page(write_run(tmp_path / "old")))
    assert "Suspected labels" not in page.text
