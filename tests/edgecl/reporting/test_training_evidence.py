"""What the page shows beyond scores: calibration, embeddings, and mistakes as images."""

from __future__ import annotations

import base64
import csv
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.learning.documents import ReliabilityRow
from edgecl.learning.evaluation.mistakes import COLUMNS
from edgecl.reporting.pages.training import training_page
from edgecl.reporting.plots.calibration import leaning, reliability_bins

LABELS = ["crazing", "patches"]
RELIABILITY: list[dict[str, Any]] = [
    {"low": 0.0, "high": 0.5, "count": 0, "right": 0, "confidence": None},
    {"low": 0.5, "high": 0.75, "count": 4, "right": 3, "confidence": 0.7},
    {"low": 0.75, "high": 1.0, "count": 40, "right": 30, "confidence": 0.9},
]
OLD: dict[str, Any] = {
    "accuracy": 0.75,
    "accuracy_interval": [0.7, 0.8],
    "macro_f1": 0.75,
    "recall": dict.fromkeys(LABELS, 0.75),
    "confusion": [],
    "auc": {},
    "roc": {},
    "labels": LABELS,
    "encoder": "shufflenet",
    "method": "simclr",
    "image_size": [128, 128],
    "split": "grouped",
    "protocol_note": "Groups stay together.",
    "counts": {},
    "parameters": 412_000,
    "macs": 40_000_000,
    "best_epoch": 2,
    "stages": {},
    "seconds": 9.0,
    "notes": [],
}
RESULT: dict[str, Any] = {
    **OLD,
    "ece": 0.141,
    "brier": 0.31,
    "nll": 0.52,
    "reliability": RELIABILITY,
    "embedding": {"method": "t-SNE", "perplexity": 30.0, "shown": 3, "of": 3},
}
WRONG = [
    ("sure.png", "crazing", "patches", 0.97, 0.03),
    ("torn.png", "patches", "crazing", 0.52, 0.48),
]
PLACES = [
    ("right.png", "patches", "patches", 0.0, 1.0),
    ("sure.png", "crazing", "patches", 2.0, 3.0),
    ("torn.png", "patches", "crazing", -4.0, 5.0),
]


def write_table(path: Path, header: tuple[str, ...], rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def shade(rank: int, shape: tuple[int, int] = (30, 40)) -> np.ndarray:
    return np.full(shape, 20 * rank, np.uint8)


def write_run(
    run: Path, *, result=RESULT, wrong: Any = WRONG, places: Any = PLACES, shape=(30, 40)
) -> Path:
    run.mkdir(parents=True, exist_ok=True)
    (run / "result.json").write_text(json.dumps(result))
    rows = [(file, "1", truth, answer, share) for file, truth, answer, share, _ in wrong or ()]
    write_table(
        run / "predictions.csv",
        ("file", "group", "truth", "predicted", "confidence"),
        [("right.png", "2", "patches", "patches", 0.99), *rows],
    )
    if wrong is not None:
        ranked = [(rank, *row) for rank, row in enumerate(wrong, start=1)]
        write_table(run / "mistakes" / "mistakes.csv", COLUMNS, ranked)
        for rank, *_ in ranked:
            cv2.imwrite(str(run / "mistakes" / f"{rank:02d}.png"), shade(rank, shape))
    if places is not None:
        write_table(run / "embedding.csv", ("file", "truth", "predicted", "x", "y"), places)
    return run


def images_of(path: Path) -> list[np.ndarray]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', path.read_text(encoding="utf-8"))
    encoded = [np.frombuffer(base64.b64decode(data), np.uint8) for data in found]
    return [np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED)) for data in encoded]


def numbers_in_plot(path: Path) -> list[str]:
    html = path.read_text(encoding="utf-8")
    start = html.index('aria-label="The test images')
    plot = html[start : html.index("</svg>", start)]
    return re.findall(r"<text[^>]*>\s*([^<\s]+)\s*</text>", plot)


def test_the_page_shows_the_kept_images_in_their_order(tmp_path, check_page):
    path = training_page(write_run(tmp_path / "run"))
    page = check_page(path)
    images = images_of(path)
    assert len(images) == 2
    for rank, image in enumerate(images, start=1):
        np.testing.assert_array_equal(image, shade(rank))
    assert page.text.index("sure.png") < page.text.index("torn.png")
    for text in ("97.0 %", "3.0 %", "2 of 3 images were misclassified"):
        assert text in page.text
    assert 'width="40" height="30"' in path.read_text(encoding="utf-8")


def test_strips_get_a_wider_place(tmp_path):
    for shape, wide in (((30, 40), False), ((16, 100), True)):
        path = training_page(write_run(tmp_path / f"run{wide}", shape=shape))
        assert ('class="mistakes wide"' in path.read_text(encoding="utf-8")) == wide


def test_the_numbers_in_the_plot_are_those_of_the_images(tmp_path):
    assert numbers_in_plot(training_page(write_run(tmp_path / "run"))) == ["1", "2"]


def test_a_run_without_the_new_files_has_the_table_of_old(tmp_path, check_page):
    run = write_run(tmp_path / "run", result=OLD, places=None)
    for path in (run / "mistakes").iterdir():
        path.unlink()
    (run / "mistakes").rmdir()
    page = check_page(training_page(run))
    assert "img" not in page.tags
    for text in ("sure.png", "97.0 %", "torn.png"):
        assert text in page.text
    for text in ("Calibration", "Embeddings", "as the network saw them", "right.png"):
        assert text not in page.text


def test_no_mistake_is_said_so(tmp_path, check_page):
    page = check_page(training_page(write_run(tmp_path / "run", wrong=[], places=PLACES[:1])))
    assert "None of the 1 test images was misclassified." in page.text
    assert "img" not in page.tags
    assert "misclassified\n" not in page.text


@pytest.mark.parametrize("damage", ["gone", "text", "short", "empty size", "huge"])
def test_a_damaged_image_costs_only_itself(tmp_path, check_page, damage):
    run = write_run(tmp_path / "run")
    image = run / "mistakes" / "01.png"
    data = image.read_bytes()
    if damage == "gone":
        image.unlink()
    else:
        image.write_bytes(
            {
                "text": b"<script>alert(1)</script>",
                "short": data[:20],
                "empty size": data[:16] + bytes(8) + data[24:],
                "huge": data + bytes(2_000_000),
            }[damage]
        )
    path = training_page(run)
    page = check_page(path)
    assert len(images_of(path)) == 1
    assert "no image" in page.text
    assert "sure.png" in page.text
    assert "1 image(s) missing or damaged" in page.text


@pytest.mark.parametrize(
    "name",
    ["<script>alert('x')</script>", '" onerror="x', "../../secret", "a\n\x0b\u2028b", "猫 😀"],
)
def test_file_names_are_text_whatever_they_say(tmp_path, check_page, name):
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x89PNG\r\n\x1a\n" + b"secret" * 9)
    wrong = [(name, name, "patches", 0.9, 0.1)]
    result = {**RESULT, "labels": [name, "patches"], "recall": {name: 0.5, "patches": 1.0}}
    places = [(name, name, "patches", 1, 2), ("b", "patches", "patches", 3, 4)]
    path = training_page(write_run(tmp_path / "run", result=result, wrong=wrong, places=places))
    page = check_page(path)
    assert page.text.count(name) >= 4  # per class, card twice, legend
    assert len(images_of(path)) == 1


def test_a_name_that_is_no_utf8_gets_a_sign_in_its_place(tmp_path, check_page):
    wrong = [("\udcff\udcfe.png", "cr\udce4zing", "patches", 0.9, 0.1)]
    result = {**RESULT, "labels": ["cr\udce4zing", "patches"]}
    places = [("\udcff\udcfe.png", "cr\udce4zing", "patches", 1, 2)]
    run = write_run(tmp_path / "run", result=result, wrong=wrong, places=places)
    page = check_page(training_page(run))
    assert "\N{REPLACEMENT CHARACTER}" * 2 + ".png" in page.text
    assert numbers_in_plot(run / "report.html") == ["1"]


def test_calibration_is_told_with_its_limits(tmp_path, check_page):
    page = check_page(training_page(write_run(tmp_path / "run")))
    for text in (
        "Expected calibration error 14.1 %",
        "Brier score 0.310",
        "negative log-likelihood 0.520 nats",
        "13.2 points overconfident",
        "3 bins",
        "unreliable",
    ):
        assert text in page.text
    assert (
        leaning(reliability_bins([ReliabilityRow(**row) for row in RELIABILITY[:2]]))
        == "5.0 points underconfident"
    )
    assert leaning([]) == ""


@pytest.mark.parametrize(
    "reliability",
    [
        [{**RELIABILITY[2], "confidence": float("nan")}],
        [{**RELIABILITY[2], "right": 41}],
        [{**RELIABILITY[2], "count": 0, "right": 0}],
        RELIABILITY[:1],
    ],
)
def test_bins_that_make_no_sense_are_left_out(tmp_path, check_page, reliability):
    result = {**RESULT, "reliability": reliability}
    page = check_page(training_page(write_run(tmp_path / "run", result=result)))
    assert "Reliability" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Embeddings" in page.text


@pytest.mark.parametrize(
    "row",
    [
        ("patches", "patches", "", ""),
        ("patches", "patches", "nan", "1"),
        ("patches", "patches", "x", "2"),
        ("patches", "patches", "inf", "inf"),
        ("patches",),
        ("no such class", "patches", "1", "2"),
    ],
)
def test_rows_without_a_place_or_a_class_are_left_out(tmp_path, check_page, row):
    places = [*PLACES, ("odd.png", *row)]
    page = check_page(training_page(write_run(tmp_path / "run", places=places)))
    assert "The 3 test images" in page.text


def test_the_method_and_its_limits_are_told(tmp_path, check_page):
    page = check_page(training_page(write_run(tmp_path / "a")))
    assert "t-SNE, perplexity 30" in page.text
    assert "distances between clusters mean little" in page.text
    thinned = {"method": "PCA", "perplexity": None, "shown": 3, "of": 900}
    page = check_page(
        training_page(write_run(tmp_path / "b", result={**RESULT, "embedding": thinned}))
    )
    assert "3 of 900 test images" in page.text
    assert "principal components" in page.text


def test_the_plot_of_a_large_test_part_stays_small(tmp_path, check_page):
    labels = [f"class {number}" for number in range(20)]
    rng = np.random.default_rng(0)
    places = [
        (f"{n}.png", labels[n % 20], labels[(n + (n % 9 == 0)) % 20], *rng.normal(0, 50, 2))
        for n in range(5000)
    ]
    result = {**RESULT, "labels": labels, "recall": dict.fromkeys(labels, 0.9)}
    path = training_page(write_run(tmp_path / "run", result=result, places=places))
    page = check_page(path)
    assert path.stat().st_size < 600_000
    assert all(label in page.text for label in labels)
