"""The page of a study from its summary alone, and summaries that are none."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from edgecl.cli.study.table import print_summary
from edgecl.reporting.pages.study import study_page
from edgecl.study.documents import (
    CandidateGeometry,
    ConditionFigures,
    Estimate,
    Failure,
    GeometryFigures,
    PretrainingSpeed,
    StudyComparison,
    StudySummary,
)
from edgecl.study.grid import Condition, Study
from edgecl.study.published import Published
from runtime.errors import InputError
from runtime.files.document import plain, read_document, write_document


def figures(method: str, arm: str, share: float, value: float) -> ConditionFigures:
    speed = PretrainingSpeed(
        step_seconds=0.1,
        images_per_second=320.0,
        probe_accuracy=0.8,
        knn_accuracy=0.7,
        contrastive_accuracy=0.9,
        runs=2,
        learnt_nothing=1,
    )
    return ConditionFigures(
        encoder="shufflenet",
        method=method,
        arm=arm,
        protocol="grouped",
        label_share=share,
        accuracy=Estimate(value, value - 0.05, value + 0.05),
        accuracy_per_repeat={"seed 0": value, "seed 1": value - 0.01},
        macro_f1=None if share < 1 else value,
        recall={"pit": value, "scratch": 0.5},
        lowest_recall=("scratch", 0.5),
        images=120,
        groups=60,
        runs=2,
        expected_runs=4,
        parameters=412_000,
        macs=40_000_000,
        epoch_seconds=1.5,
        pretraining=None if method == "none" else speed,
        published=None if method == "none" else Published(0.9875),
    )


def summary() -> StudySummary:
    conditions = [
        figures(method, arm, share, value)
        for method, arm, value in (("none", "-", 0.7), ("simclr", "clean", 0.8))
        for share in (1.0, 0.1)
    ]
    first, second = conditions[2].condition, conditions[0].condition
    return StudySummary(
        grid=Study(data="neu", seeds=(0, 1), label_shares=(1.0, 0.1)),
        done=8,
        total=16,
        conditions=tuple(conditions),
        comparisons=(
            StudyComparison(
                kind="pretraining",
                first=first,
                second=second,
                difference=Estimate(0.1, 0.02, 0.18),
                p=0.01,
                images=120,
                p_holm=0.02,
            ),
        ),
        failures=(Failure("runs/a", "no GPU"),),
    )


def test_a_summary_reads_back_and_makes_the_page(tmp_path, check_page, capsys):
    write_document(tmp_path / "summary.json", summary())
    assert read_document(tmp_path / "summary.json", StudySummary) == summary()
    page = check_page(study_page(tmp_path))
    for text in ("Table 2", "80.00 %", "+10.00", "+2.00 to +18.00", "98.75 %", "no GPU", "neu"):
        assert text in page.text
    print_summary(summary())
    out = capsys.readouterr().out
    assert "shufflenet, 100 % of the labels: simclr (clean) against" in out
    assert "Geometry" not in page.text


def test_chosen_geometries_are_told(tmp_path, check_page, capsys):
    chosen = GeometryFigures(
        encoder="shufflenet",
        protocol="grouped",
        label_share=0.05,
        runs=5,
        candidates=(
            CandidateGeometry(name="tiles of 96x96", chosen=4, accuracy=0.75),
            CandidateGeometry(name="whole images at 192x192", chosen=1, accuracy=None),
        ),
    )
    told = replace(summary(), grid=Study(geometry="auto"), geometries=(chosen,))
    write_document(tmp_path / "summary.json", told)
    assert read_document(tmp_path / "summary.json", StudySummary) == told
    page = check_page(study_page(tmp_path))
    for text in ("tiles or whole images", "4 of 5 runs", "75.0 %", "not compared"):
        assert text in page.text
    print_summary(told)
    line = (
        "shufflenet, 5 % of the labels: tiles of 96x96 in 4 of 5 runs (75.0% out of fold), "
        "whole images at 192x192 in 1 of 5 runs"
    )
    assert line in capsys.readouterr().out.splitlines()


def test_a_condition_is_found_again_by_its_factors():
    found = summary().conditions[3].condition
    assert found == Condition("shufflenet", "simclr", "clean", "grouped", 0.1)


@pytest.mark.parametrize("gone", ["grid", "conditions", "done", "failures"])
def test_a_summary_that_lacks_a_part_is_refused_and_the_part_named(tmp_path, gone):
    value = plain(summary())
    del value[gone]
    (tmp_path / "summary.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match=rf"summary\.json .* lacks the field '{gone}'"):
        study_page(tmp_path)
