"""Right answers of runs by who gave them, and the share of them over groups of images."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecl.learning.run.run_directory import PREDICTIONS, RIVALS

ORDER = ("texture", "frozen", "network", "teacher", "student", "shipped")
"""Who answers, in the order of a table."""


class RightAnswers:
    """Right answers per image and draw of labels."""

    def __init__(self) -> None:
        self.right: dict[tuple[str, int], bool] = {}
        self.groups: dict[str, str] = {}
        self.runs = 0

    def add(self, draw: int, rows: dict[str, tuple[str, bool]]) -> None:
        """Count another run's answers: group and whether it was right, by file."""
        self.runs += 1
        for file, (group, right) in rows.items():
            self.right[file, draw] = right
            self.groups[file] = group

    def shares(self, also: RightAnswers) -> tuple[NDArray[np.float64], list[str]]:
        """Share of right answers per image over the draws that both have, and its group."""
        right = defaultdict(list)
        for file, draw in sorted(self.right.keys() & also.right.keys()):
            right[file].append(self.right[file, draw])
        means = np.array([np.mean(values) for values in right.values()])
        return means, [self.groups[file] for file in right]


def read_right(run: Path) -> dict[str, dict[str, tuple[str, bool]]]:
    """Return group and rightness of each tested image, by who answered and file."""
    with open(run / PREDICTIONS, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    groups = {row["file"]: row["group"] for row in rows}
    said = {row["file"]: (row["group"], row["predicted"] == row["truth"]) for row in rows}
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    with open(run / RIVALS, newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            for who in row.keys() - {"file", "truth"}:
                right = row[who] == row["truth"]
                found.setdefault(who, {})[row["file"]] = (groups[row["file"]], right)
    # Without self-training, the run's answers are those of the fine-tuned network.
    found["shipped" if "fine-tuned" in found else "network"] = said
    if "fine-tuned" in found:
        found["network"] = found.pop("fine-tuned")
    return {who: found[who] for who in ORDER if who in found}
