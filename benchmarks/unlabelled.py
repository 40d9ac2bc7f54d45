"""What unlabelled images are worth: four arms side by side, with and without a teacher.

    labels       the labelled images alone
    longer       the labelled images alone, for as many steps as pretraining and fine-tuning take
    other        pretrained on images of other steel, as many steps
    own          pretrained on the train part, without its labels

All have the same tiles, views, head and budget of fine-tuning. A pretraining is shared by all draws
and shares of labels. Finished runs are kept, so the same command continues where it stopped, and
several may work on one folder. Intervals are bootstrapped over overlap groups.

    python benchmarks/unlabelled.py --data neu_cls --other gc10_det --other cr7_det --out FOLDER
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.right_answers import RightAnswers, read_right
from benchmarks.script import run_script
from edgecl.learning.config import TrainConfig
from edgecl.learning.recipes import LINE, RECIPES
from edgecl.learning.run.pretrained import PRETRAINED
from edgecl.learning.run.run_directory import RESULT
from edgecl.learning.run.sources import RememberingSource
from edgecl.learning.runner import pretrain_run, train_run
from edgecl.study.execution import claimed
from edgecl.study.statistics import mean_by_groups, paired_difference
from runtime.errors import InputError

ARMS = ("labels", "longer", "other", "own")
BY_COST = ("labels", "own", "other", "longer")
STEPS = 10
"""Steps of an epoch of fine-tuning with few labels."""
REFERENCE = "labels"


@dataclass(frozen=True)
class Task:
    """A run that is to be made.

    Args:
        name: of its folder.
        config: its choices.
        needs: name of the pretraining that it starts from; empty for none.
    """

    name: str
    config: TrainConfig
    needs: str = ""

    @property
    def arm(self) -> str:
        """The arm that it belongs to."""
        return self.name.partition("-")[0]

    @property
    def last(self) -> str:
        """The file that a finished run has."""
        return PRETRAINED if self.config.pretrain_only else RESULT


def main() -> None:
    """Run what is left, and print the table."""
    arguments = _arguments()
    tasks = _tasks(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not arguments.show:
        _work_together(tasks, arguments.out, arguments.processes)
    _print_table(arguments, tasks)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", required=True)
    parser.add_argument("--groups", default="", help="of overlapping images, from edgecl audit")
    parser.add_argument("--other", action="append", default=[], help="images of other steel")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--encoder", default="shufflenet")
    parser.add_argument("--method", default="simclr")
    parser.add_argument("--arm", choices=ARMS, action="append", default=[])
    parser.add_argument("--label-share", type=float, nargs="+", default=[0.02, 0.05])
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of five")
    parser.add_argument("--pretrain-epochs", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--layer-decay", type=float, default=1.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--tile", default="", help="HEIGHTxWIDTH")
    parser.add_argument("--stretch", default="", help="stretch images to HEIGHTxWIDTH")
    parser.add_argument("--geometry", choices=("tiles", "auto"), default="tiles")
    parser.add_argument("--robust", action="store_true")
    parser.add_argument("--turns", action="store_true", help="show tiles turned by 90° too")
    parser.add_argument("--self-train", action="store_true")
    parser.add_argument("--autocast", default="auto")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="run nothing, print what is done")
    arguments = parser.parse_args()
    arguments.arm = arguments.arm or list(ARMS)
    return arguments


def _tasks(arguments: argparse.Namespace) -> list[Task]:
    """Return all runs, pretrainings first."""
    base = replace(
        TrainConfig(),
        **{**RECIPES[LINE], "geometry": arguments.geometry},
        data=str(Path(arguments.data).absolute()),
        groups=arguments.groups,
        encoder=arguments.encoder,
        folds=5,
        epochs=arguments.epochs,
        student_epochs=arguments.epochs,
        patience=arguments.epochs,
        pretrain_epochs=arguments.pretrain_epochs,
        scale=arguments.scale,
        robust=arguments.robust,
        turns=arguments.turns,
        autocast=arguments.autocast,
    )
    base = replace(base, lr=arguments.lr, layer_decay=arguments.layer_decay)
    if arguments.tile:
        base = replace(base, image_size=_size(arguments.tile))
    if arguments.stretch:
        base = replace(base, geometry="stretch", image_size=_size(arguments.stretch))
    tasks = list(_pretrainings(arguments, base))
    # The dearest arm last, and a draw whole before the next: what is broken off is still of use.
    for arm in (name for name in BY_COST if name in arguments.arm):
        for draw in arguments.draws:
            for share in arguments.label_share:
                for fold in arguments.folds if share < 1 or draw == arguments.draws[0] else ():
                    needs = {"other": "other-pretraining", "own": f"own-pretraining-{fold}"}.get(
                        arm, ""
                    )
                    config = replace(
                        base,
                        fold=fold,
                        label_share=share,
                        label_draw=draw if share < 1 else 0,
                        method=arguments.method if needs else "none",
                        self_train=arguments.self_train and share < 1 and arm != "longer",
                    )
                    tasks.append(Task(f"{arm}-{share:g}-{draw}-{fold}", config, needs))
    return tasks


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width)


def _pretrainings(arguments: argparse.Namespace, base: TrainConfig) -> Iterator[Task]:
    """Yield what the arms need: one per fold, and one for all folds of what shows none of them."""
    base = replace(base, method=arguments.method, pretrain_only=True)
    if "own" in arguments.arm:
        for fold in arguments.folds:
            yield Task(f"own-pretraining-{fold}", replace(base, fold=fold))
    if "other" in arguments.arm:
        others = tuple(str(Path(folder).absolute()) for folder in arguments.other)
        base = replace(base, unlabelled=others, pretrain_on="unlabelled")
        yield Task("other-pretraining", base)


def _work_together(tasks: list[Task], out: Path, processes: int) -> None:
    """Let several processes share the tasks."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_work, args=(tasks, out), daemon=True) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _work(tasks: list[Task], out: Path) -> None:
    source = RememberingSource()
    failed: set[str] = set()
    while left := [t for t in tasks if t.name not in failed and not _done(t, out)]:
        moved = False
        for task in left:
            if task.needs in failed:
                failed.add(task.name)
                continue
            if task.needs and not (out / task.needs / PRETRAINED).exists():
                continue
            with claimed(out / f"{task.name}.lock") as ours:
                if not ours or _done(task, out):
                    continue
                moved = True
                start = time.perf_counter()
                try:
                    _run(task, out, source)
                except InputError as error:
                    failed.add(task.name)
                    print(f"{task.name}: {error}", file=sys.stderr, flush=True)
                else:
                    took = time.perf_counter() - start
                    print(f"{task.name}: {took:.0f} s", file=sys.stderr, flush=True)
        if not moved and left:
            time.sleep(0.5)


def _run(task: Task, out: Path, source: RememberingSource) -> None:
    config = task.config
    if task.needs:
        config = replace(config, pretrained=str(out / task.needs))
    # A train part is four fifths of the set, less what validates.
    images = int(0.7 * len(source.labelled(config, _uncounted)))
    own_steps = config.pretrain_epochs * (images // config.pretraining_batch)
    if task.arm == "longer":
        # Both views of a pretraining's batch count.
        longer = 2 * own_steps * config.pretraining_batch // (config.batch_size * STEPS)
        epochs = config.epochs + longer
        config = replace(config, epochs=epochs, patience=epochs)
    if task.arm == "other" and config.pretrain_only:
        others = len(source.unlabelled(config, _uncounted))
        steps = others // config.pretraining_batch
        config = replace(config, pretrain_epochs=max(1, round(own_steps / steps)))
    (pretrain_run if config.pretrain_only else train_run)(
        config, out / task.name, report=_silent, source=source
    )


def _done(task: Task, out: Path) -> bool:
    return (out / task.name / task.last).exists()


def _print_table(arguments: argparse.Namespace, tasks: list[Task]) -> None:
    """Print each arm's accuracy by who answered, and leads over others on the same draws."""
    found: dict[tuple[float, str, str], RightAnswers] = defaultdict(RightAnswers)
    for task in tasks:
        if not task.config.pretrain_only and _done(task, arguments.out):
            for who, right in read_right(arguments.out / task.name).items():
                found[task.config.label_share, task.arm, who].add(task.config.label_draw, right)
    for (share, arm, who), answers in found.items():
        said = mean_by_groups(*answers.shares(answers))
        print(f"{share:g}  {arm:7} {who:11} {answers.runs:3} runs  {_percent(said)}", flush=True)
        rivals = dict.fromkeys(
            ((REFERENCE, "network"), ("other", "network"), (arm, "network"), (arm, "teacher"))
        )
        for rival in rivals:
            other = found.get((share, *rival))
            if other is None or rival == (arm, who):
                continue
            ours, groups = answers.shares(other)
            theirs, _ = other.shares(answers)
            if len(ours):
                lead = paired_difference(ours, theirs, groups)
                low, high = 100 * lead.estimate.low, 100 * lead.estimate.high
                print(
                    f"      over {' '.join(rival):16} {100 * lead.estimate.value:+.2f} "
                    f"({low:.2f} to {high:.2f}), p {lead.p:.4f}",
                    flush=True,
                )


def _percent(estimate: object) -> str:
    value, low, high = (100 * getattr(estimate, name) for name in ("value", "low", "high"))
    return f"{value:.2f} % ({low:.2f} to {high:.2f})"


def _uncounted(done: int, total: int) -> None:
    pass


def _silent(stage: str, done: int, total: int, text: str) -> None:
    pass


if __name__ == "__main__":
    run_script(main)
