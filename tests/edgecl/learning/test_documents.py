"""What a run writes reads back the same, and what earlier versions wrote still reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgecl.learning.documents import JournalRecord, MetricsLine, RunResult
from edgecl.learning.run import run_directory
from runtime.errors import InputError
from runtime.files.document import parse_document, plain, to_text

LATER = ("ece", "reliability", "brier", "nll", "views", "channels", "folds", "embedding", "seed")


def written(path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_config_and_result_say_again_what_the_files_say(trained_run):
    config = run_directory.read_config(trained_run)
    assert json.loads(to_text(config)) == written(trained_run / "config.json")
    result = run_directory.read_result(trained_run)
    assert json.loads(to_text(result)) == written(trained_run / "result.json")
    assert config.schema == result.schema == 1


def test_metrics_do_too(trained_run):
    text = (trained_run / "metrics.jsonl").read_text(encoding="utf-8")
    lines = run_directory.read_metrics(trained_run)
    assert [json.loads(json.dumps(plain(line))) for line in lines] == [
        json.loads(line) for line in text.splitlines()
    ]


def test_the_journal_of_a_checkpoint_holds_the_epochs_of_the_metrics(trained_run):
    state = run_directory.load_checkpoint(trained_run)
    assert state is not None
    journal = {name: value for name, value in state["journal"].items() if name != "best"}
    record = parse_document(journal, JournalRecord, where="here")
    epochs = [(epoch.stage, epoch.epoch, epoch.val_loss) for epoch in record.history]
    lines = run_directory.read_metrics(trained_run)
    assert epochs == [(line.stage, line.epoch, line.val_loss) for line in lines]


def test_a_result_from_before_the_later_fields_reads(trained_run):
    value = written(trained_run / "result.json")
    for name in ("schema", *LATER):
        del value[name]
    result = parse_document(value, RunResult, where="here")
    assert result.schema == 1
    assert (result.channels, result.folds, result.ece, result.reliability) == (1, 0, None, ())
    assert result.accuracy == value["accuracy"]


def test_a_metrics_line_from_before_there_were_numbers_reads():
    old = {"stage": "finetune", "epoch": 3, "val_loss": 0.5, "seconds": 1.5}
    line = parse_document(old, MetricsLine, where="here")
    assert (line.epoch, line.val_loss, line.loss) == (3, 0.5, None)


def test_a_choice_that_is_not_known_is_refused(trained_run, tmp_path):
    value = written(trained_run / "config.json")
    value["choices"]["colour"] = "red"
    (tmp_path / "config.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"config\.json has the unknown field 'colour'"):
        run_directory.read_config(tmp_path)
