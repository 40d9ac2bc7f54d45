"""Streams of a few images on the command line, and what they left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgecl.cli.shell import run

ARGUMENTS = ["run", "--camera", "parts", "--engine", "onnxruntime", "--out", "o", "--json"]
"""A stream of the images in `parts`, into the folder `o`."""


def write_parts(folder: Path, levels: Sequence[int]) -> None:
    """An image of each level, by number."""
    folder.mkdir()
    for number, level in enumerate(levels):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((40, 60), level, np.uint8))


def judged(capsys, arguments: list[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary of a stream into `o`, and the lines of its verdicts."""
    assert run(arguments) == 0
    summary = json.loads(capsys.readouterr().out)
    lines = Path("o/verdicts.jsonl").read_text().splitlines()
    return summary, [json.loads(line) for line in lines]


def judged_anew(capsys, model: str, *more: str, code: int = 0) -> tuple[dict[str, Any], str]:
    """The summary of a stream of `parts` into a new folder, and what was said beside it."""
    arguments = ["--model", model, "--camera", "parts", "--engine", "onnxruntime", "--json"]
    arguments = [*arguments, "--unknown", "off"]
    assert run(["run", *arguments, "--out", f"o{len(list(Path().glob('o*')))}", *more]) == code
    out, err = capsys.readouterr()
    return json.loads(out), err
