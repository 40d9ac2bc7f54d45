"""Two ranks give what one gives: losses, gradients, whole runs; an error of one ends all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from edgecl.learning.compute import collectives
from edgecl.learning.compute.ranks import ALONE, Ranks, joined
from runtime.errors import InputError
from tests.edgecl.learning.compute import rank_jobs
from tests.made_once import MadeOnce

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this torch has no gloo"
)


def torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Two ranks; a port is found by torchrun itself."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    environment = {
        **{key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")},
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return subprocess.run(
        [*launcher, "--nproc-per-node", "2", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        timeout=600,  # ends a hang; a crowded machine may need minutes
        check=False,
    )


@pytest.fixture(scope="module")
def together(class_folders: Path, made_once: MadeOnce) -> tuple[Path, list[dict[str, Any]]]:
    """The folder in which two ranks worked, and what each of them found."""

    def work(out: Path) -> None:
        out.mkdir()
        done = torchrun(str(Path(rank_jobs.__file__)), str(class_folders), str(out))
        for number in (0, 1):
            assert (out / f"{number}.pt").exists(), done.stderr
        (out / "stdout").write_text(done.stdout)
        (out / "stderr").write_text(done.stderr)

    out = made_once("ranks", work)
    return out, [torch.load(out / f"{number}.pt", weights_only=True) for number in (0, 1)]


def same(found: dict[str, Any], expected: dict[str, Any], *, rtol: float, atol: float) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            same(found[name], value, rtol=rtol, atol=atol)
        else:
            torch.testing.assert_close(found[name], value, rtol=rtol, atol=atol, msg=name)


@pytest.mark.parametrize("name", rank_jobs.OBJECTIVES)
def test_loss_and_gradients_are_those_of_one_process(together, name):
    alone = rank_jobs.contrast(ALONE, name)
    assert len(alone["gradients"]) == 4
    for found in together[1]:
        same(found[name], alone, rtol=1e-9, atol=1e-12)


def test_the_support_sets_stay_those_of_one_process(together):
    """The second step looks for neighbours among the first one's views."""
    alone = rank_jobs.contrast(ALONE, "nnclr", steps=2)
    for found in together[1]:
        # The queue is float32, whatever comes in.
        same(found["two steps of nnclr"], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-4), (torch.float64, 1e-11)])
def test_batch_norm_sees_the_whole_batch(together, dtype, atol):
    alone = rank_jobs.contrast_with_batch_norm(ALONE, dtype)
    assert any("running_var" in name for name in alone["buffers"])
    for found in together[1]:
        same(found[str(dtype)], alone, rtol=atol, atol=atol)


def test_fine_tuning_with_unequal_shares_is_that_of_one_process(together):
    alone = rank_jobs.classify(ALONE)
    for found in together[1]:
        same(found["classify"], alone, rtol=1e-5, atol=1e-7)  # logits are cast to float32


def test_a_gathered_row_has_the_gradients_of_all_losses(together):
    rows = torch.arange(5.0)
    for found, mine in zip(together[1], (rows[:2], rows[2:]), strict=True):
        torch.testing.assert_close(found["gather"]["whole"], rows)
        torch.testing.assert_close(found["gather"]["gradient"], (1 + 2) * 2 * mine)


def test_an_error_of_one_rank_is_an_error_of_all(together):
    for found in together[1]:
        assert found["errors"] == {
            "by_all": "rank 1 has no disk; buy one",
            "by_first": "rank 0 has no disk; buy one",
            "by_first, the other": "nothing",
            "require_same": "rank 1 has different luck from rank 0; share it evenly",
            "afterwards": "[0, 0.1, None]",
        }


def test_dropout_differs_between_ranks_and_the_first_has_the_lone_one(together):
    first, second = (found["dropout"] for found in together[1])
    assert torch.equal(first, rank_jobs.dropout(ALONE))
    assert not torch.equal(first, second)


@pytest.fixture(scope="module")
def alone_run(class_folders: Path, made_once: MadeOnce) -> Path:
    return made_once("runs/alone", lambda run: rank_jobs.train(str(class_folders), run, ALONE))


def same_run(found: Path, expected: Path) -> None:
    """The same files and, but for time and rounding, the same lines of metrics."""
    assert sorted(p.name for p in found.iterdir()) == sorted(p.name for p in expected.iterdir())
    lines = [
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (found, expected)
    ]
    for line, wanted in zip(*lines, strict=True):
        assert (line.pop("stage"), line.keys()) == (wanted.pop("stage"), wanted.keys())
        del line["seconds"], wanted["seconds"]
        measured = {name for name, value in wanted.items() if value is not None}
        assert measured == {name for name, value in line.items() if value is not None}
        for name in measured:
            assert line[name] == pytest.approx(wanted[name], rel=1e-4), name
    results = [json.loads((run / "result.json").read_text()) for run in (found, expected)]
    for name in ("accuracy", "recall", "confusion", "best_epoch", "counts", "parameters", "macs"):
        assert results[0][name] == results[1][name]


def test_nothing_of_gloo_is_left_that_could_abort_the_end_of_the_process(together):
    for found in together[1]:
        assert found["threads afterwards"]
        assert not [name for name in found["threads afterwards"] if "gloo" in name]


def test_a_whole_run_gives_the_metrics_of_one_process_and_one_directory(together, alone_run):
    out, found = together
    same_run(out / "whole", alone_run)
    assert json.loads((out / "whole" / "config.json").read_text())["machine"]["ranks"] == 2
    assert found[0]["result"] == found[1]["result"]


def test_a_killed_run_goes_on_with_two_ranks_to_the_same_bytes(together):
    out, _ = together
    for name in ("predictions.csv", "encoder.safetensors", "classifier.safetensors"):
        assert (out / "killed" / name).read_bytes() == (out / "whole" / name).read_bytes()


def test_a_killed_run_of_two_ranks_goes_on_with_one(together, alone_run, class_folders, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(together[0] / "killed for one", run)
    history = (run / "metrics.jsonl").read_text().splitlines()
    assert len(history) == 2, "it was to be killed in the second epoch of fine-tuning"
    rank_jobs.train(str(class_folders), run, ALONE)
    same_run(run, alone_run)


def test_the_command_prints_its_result_once(together):
    out, _ = together
    assert json.loads((out / "stdout").read_text())["run"] == str(out / "told")
    assert (out / "stderr").read_text().count("the test part, once") == 1
    assert (out / "told" / "report.html").exists()


def test_a_mistake_is_one_line_and_leaves_nothing(together):
    out, _ = together
    told = (out / "stderr").read_text()
    lines = [line for line in told.splitlines() if line.startswith("edgecl: ")]
    assert len(lines) == 1, told
    assert "a batch of 31 cannot be divided evenly among 2 ranks; use --batch-size 32" in lines[0]
    assert "exitcode: 2" in told.replace("exitcode  :", "exitcode:")
    assert not (out / "mistaken").exists()


@pytest.mark.parametrize(("size", "batch", "usable"), [(2, 31, 32), (3, 32, 33), (8, 4, 8)])
def test_a_batch_that_cannot_be_shared_is_refused_with_the_next_that_can(size, batch, usable):
    with pytest.raises(InputError, match=f"--batch-size {usable}, or a number of ranks that"):
        Ranks(0, size).require_batch(batch)
    Ranks(0, size).require_batch(usable)


def test_without_torchrun_nothing_is_joined(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with joined() as ranks:
        assert ranks == ALONE
        assert not dist.is_initialized()


def test_more_ranks_than_gpus_are_refused(monkeypatch):
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=r"2 ranks.* 1 GPU.*--nproc-per-node 1"), joined():
        pass


def test_gradients_travel_in_whole_buckets(monkeypatch):
    monkeypatch.setattr(collectives, "BUCKET_BYTES", 10)
    sizes = [1, 2, 9, 1, 1]
    tensors = [torch.zeros(size) for size in sizes]
    found = [[len(tensor) for tensor in bucket] for bucket in collectives.buckets(tensors)]
    assert found == [[1, 2], [9], [1, 1]]


def test_ranks_that_cannot_meet_are_an_error_of_one_line(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="start with torchrun"), joined():
        pass
