"""A run from images to result: what it writes, that it learns, and that a kill costs nothing."""

from __future__ import annotations

import csv
import itertools
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from edgecl.learning.compute.placement import Compute
from edgecl.learning.loop.epochs import batches
from edgecl.learning.loop.number_format import decide_autocast
from edgecl.learning.loop.training import set_up, train
from edgecl.learning.optimisation.schedule import WARM_UP, cosine_rate, warm_up
from edgecl.learning.run import preparation, run_directory
from edgecl.learning.run.preparation import prepare
from edgecl.learning.runner import train_run
from runtime.errors import InputError


def silent(*_: object) -> None:
    pass


def test_a_run_learns_and_leaves_everything(trained_run, tiny_config):
    result = run_directory.read_result(trained_run)
    assert result.accuracy > 0.6  # three classes: a third by chance
    assert result.split == "grouped"
    assert result.seconds > 0
    assert set(result.recall) == {"bars", "blob", "posts"}
    assert result.counts == {
        "train": 84,
        "validation": 18,
        "test": 18,
        "groups": 120,
        "unlabelled": 0,
        "pretraining": 84,
    }
    lines = [json.loads(line) for line in (trained_run / "metrics.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["pretrain"] * 2 + ["finetune"] * 8
    for measure in ("probe_accuracy", "knn_accuracy"):
        assert lines[0][measure] is None
        assert 0 < lines[1][measure] <= 1
    with open(trained_run / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 18
    hits = np.mean([row["truth"] == row["predicted"] for row in rows])
    assert hits == pytest.approx(result.accuracy)
    config = run_directory.read_config(trained_run)
    assert config.choices == tiny_config
    assert config.labels == ("bars", "blob", "posts")


def test_the_saved_weights_give_the_written_predictions(trained_run, tiny_config):
    classifier, config = run_directory.load_classifier(trained_run)
    prepared = prepare(config.choices, silent)
    test = prepared.split.test
    with torch.no_grad():
        logits, _ = classifier(torch.from_numpy(prepared.dataset.stretched[test][:, None]))
    expected = torch.softmax(logits, 1).numpy()
    with open(trained_run / "predictions.csv", newline="") as stream:
        written = [
            [float(row[f"p_{label}"]) for label in prepared.dataset.labels]
            for row in csv.DictReader(stream)
        ]
    # Sums in another order (all at once here, in batches there); another network is far off.
    np.testing.assert_allclose(written, expected, atol=1e-4)


class KilledError(Exception):
    pass


AFTER_THE_CHANGE = 9
"""Steps from the second epoch of pretraining, of five, into the first one of fine-tuning."""


def test_a_killed_run_resumes_to_the_same_numbers(trained_run, tiny_config, tmp_path):
    """One run is killed in its first epoch, in the second, at the change of stage, and in
    fine-tuning: each time it goes on from what the kill before left."""
    run = tmp_path / "killed"

    def killed(after: int) -> list[dict[str, object]]:
        """Kill it after steps of this start; return the epochs that it keeps."""
        seen = 0

        def kill(stage: str, *_: object) -> None:
            nonlocal seen
            seen += stage in ("pretraining", "fine-tuning")
            if seen == after:
                raise KilledError

        with pytest.raises(KilledError):
            train_run(tiny_config, run, report=kill)
        assert not (run / "result.json").exists()
        path = run / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    assert len(killed(3)) == 0
    assert len(killed(7)) == 1
    kept = killed(AFTER_THE_CHANGE)
    assert [line["stage"] for line in kept] == ["pretrain"] * 2
    kept = killed(19)
    assert [line["stage"] for line in kept][:3] == ["pretrain"] * 2 + ["finetune"]
    resumed = train_run(tiny_config, run, report=silent)
    unbroken = run_directory.read_result(trained_run)
    for name in ("accuracy", "macro_f1", "recall", "confusion", "best_epoch"):
        assert getattr(resumed, name) == getattr(unbroken, name)
    for name in ("predictions.csv", "encoder.safetensors", "classifier.safetensors"):
        assert (run / name).read_bytes() == (trained_run / name).read_bytes()


def test_a_killed_nnclr_run_has_its_support_set_again(tiny_config, tmp_path):
    config = replace(tiny_config, method="nnclr", queue_size=50, epochs=1)
    seen = 0

    def kill(stage: str, *_: object) -> None:
        nonlocal seen
        seen += stage == "pretraining"
        if seen == 7:  # of ten: in the second epoch
            raise KilledError

    train_run(config, tmp_path / "unbroken", report=silent)
    with pytest.raises(KilledError):
        train_run(config, tmp_path / "killed", report=kill)
    train_run(config, tmp_path / "killed", report=silent)
    for name in ("predictions.csv", "encoder.safetensors", "classifier.safetensors"):
        whole, resumed = (tmp_path / run / name for run in ("unbroken", "killed"))
        assert whole.read_bytes() == resumed.read_bytes()


@pytest.mark.parametrize(("wrong", "option"), [("pretrain_lr", "--pretrain-lr"), ("lr", "--lr")])
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_epoch(
    tiny_config, tmp_path, wrong, option
):
    run = tmp_path / "run"
    with pytest.raises(InputError, match=rf"epoch 1, step \d+ .* with {option} below 1e\+36"):
        train_run(replace(tiny_config, **{wrong: 1e36}), run, report=silent)
    assert not (run / "result.json").exists()
    state = run_directory.load_checkpoint(run)
    if wrong == "pretrain_lr":
        assert state is None
    else:
        assert state is not None
        assert state["journal"]["stage"] == "finetune"
        for name in ("backbone", "head"):
            assert all(t.isfinite().all() for t in state["networks"][name].values())


def test_resuming_on_other_images_is_refused(tiny_config, class_folders, tmp_path):
    run = tmp_path / "run"

    def kill(stage: str, *_: object) -> None:
        if stage == "fine-tuning":
            raise KilledError

    with pytest.raises(KilledError):
        train_run(tiny_config, run, report=kill)
    other = tmp_path / "parts"
    for path in class_folders.rglob("*.png"):
        (other / path.parent.name).mkdir(parents=True, exist_ok=True)
        (other / path.parent.name / path.name).write_bytes(path.read_bytes())
    cv2.imwrite(str(other / "bars" / "bars_1.png"), np.zeros((9, 9), np.uint8))
    config = json.loads((run / "config.json").read_text())
    config["choices"]["data"] = str(other)
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="not the ones that"):
        train_run(replace(tiny_config, data=str(other)), run, report=silent)


def test_a_damaged_checkpoint_is_named(tiny_config, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoint.pt").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(InputError, match=r"checkpoint\.pt is damaged"):
        run_directory.load_checkpoint(run)


def test_training_stops_early_and_keeps_the_best(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "FEWEST_TO_CHOOSE", 18)
    config = replace(tiny_config, method="none", epochs=30, patience=2, lr=0.05)
    run = tmp_path / "run"
    result = train_run(config, run, report=silent)
    losses = [
        json.loads(line)["val_loss"] for line in (run / "metrics.jsonl").read_text().splitlines()
    ]
    assert result.best_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == min(30, result.best_epoch + 2)


def test_too_few_validation_images_choose_no_epoch(tiny_config, tmp_path):
    config = replace(tiny_config, method="none", epochs=6, patience=1, lr=0.05)
    result = train_run(config, tmp_path / "run", report=silent)
    assert result.best_epoch == 6
    assert any("18 images, too few to choose" in note for note in result.notes)


def test_the_test_part_is_not_touched_before_the_end(tiny_config, tmp_path):
    prepared = prepare(tiny_config, silent)
    run = tmp_path / "run"
    # Were a test image used in training, poisoning it would change the weights.
    poisoned = prepared.dataset.stretched.copy()
    poisoned[prepared.split.test] = 0
    weights = []
    for images in (prepared.dataset.stretched, poisoned):
        data = replace(prepared, dataset=replace(prepared.dataset, images=images))
        run = run.with_name(run.name + "_")
        compute = Compute(torch.device("cpu"), "off")
        config = replace(tiny_config, pretrain_epochs=1, epochs=1)
        train(*set_up(config, data, run, compute=compute, report=silent))
        weights.append((run / "encoder.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_unlabelled_copies_of_held_out_images_are_refused_or_marked(tiny_config, tmp_path):
    held_out = prepare(tiny_config, silent)
    test_file = held_out.dataset.files[int(held_out.split.test[0])]
    train_file = held_out.dataset.files[int(held_out.split.train[0])]
    extra = tmp_path / "extra"
    extra.mkdir()
    for name in (test_file, train_file):
        image = cv2.imread(f"{tiny_config.data}/{name}", cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(extra / name.replace("/", "_").replace(".png", ".jpg")), image)
    config = replace(tiny_config, unlabelled=(str(extra),))
    with pytest.raises(InputError, match="1 of 2 unlabelled images are copies"):
        prepare(config, silent)
    prepared = prepare(replace(config, allow_leak=True), silent)
    assert len(prepared.extra) == 2
    assert prepared.protocol_note.startswith("leaks: 1 of 2 unlabelled images are copies")
    (extra / test_file.replace("/", "_").replace(".png", ".jpg")).unlink()
    assert not prepare(config, silent).protocol_note.startswith("leaks:")


def test_fewer_images_than_a_batch_is_refused(tiny_config):
    with pytest.raises(InputError, match="fewer than one batch of 500"):
        prepare(replace(tiny_config, batch_size=500), silent)


def test_the_number_format_is_measured_only_when_asked(tiny_config):
    prepared = prepare(tiny_config, silent)
    assert decide_autocast(tiny_config, prepared, torch.device("cpu")) == ("off", {})
    chosen, seconds = decide_autocast(
        replace(tiny_config, autocast="auto"), prepared, torch.device("cpu")
    )
    assert chosen in seconds
    assert set(seconds) == {"off", "bf16"}


def test_batches_cover_every_row_once():
    rows = np.concatenate(list(batches(10, 4, np.random.default_rng(0), whole_only=False)))
    assert sorted(rows.tolist()) == list(range(10))
    assert [len(b) for b in batches(10, 4, np.random.default_rng(0), whole_only=True)] == [4, 4]


def test_the_rate_falls_from_its_start_towards_zero():
    rates = [cosine_rate(0.1, epoch, 10) for epoch in range(10)]
    assert rates[0] == 0.1
    assert all(a > b > 0 for a, b in itertools.pairwise(rates))


def test_the_rate_of_pretraining_rises_once_and_stays_the_epochs():
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)])

    def rates(step, count):
        warm = warm_up(optimizer, 0.1, step=step, steps=1000)
        for _ in range(count):
            yield optimizer.param_groups[0]["lr"]
            warm()

    first = list(rates(0, 120))
    assert first[0] == pytest.approx(0.1 / 100)
    assert all(a < b for a, b in itertools.pairwise(first[:100]))
    assert set(first[99:]) == {0.1}
    # A run that goes on has the rates that it would have had.
    assert list(rates(60, 60)) == first[60:]
    assert WARM_UP == 200  # of long pretrainings; the share above holds for short ones
    long = warm_up(optimizer, 0.1, step=150, steps=10**6)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 151 / 200)
    long()
