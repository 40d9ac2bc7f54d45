"""Tables of options that have no effect beside others, verb by verb.

An option that is passed over in silence is believed to have worked. These tables are all there is
to know of it: `Verb` reads them, whoever adds an option adds its row.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgecl.cli.ignored_options.benchmark import BENCH, COMPARE
from edgecl.cli.ignored_options.inference import CAMERA, CHECK, EXPORT, HISTORY, REPLAY, RUN
from edgecl.cli.ignored_options.reviewing import REVIEW, TUNE
from edgecl.cli.ignored_options.rule import Rule, Values
from edgecl.cli.ignored_options.training import (
    DEMO,
    PICK,
    STUDY,
    STUDY_GRID,
    TRAIN,
    TRAIN_NOTES,
)

__all__ = ["NOTES", "REFUSALS", "STUDY_GRID", "Rule", "Values"]

REFUSALS: Mapping[str, tuple[Rule, ...]] = {
    "train": TRAIN,
    "export": EXPORT,
    "run": RUN,
    "check": CHECK,
    "replay": REPLAY,
    "history": HISTORY,
    "bench": BENCH,
    "compare": COMPARE,
    "camera": CAMERA,
    "demo": DEMO,
    "pick": PICK,
    "review": REVIEW,
    "tune": TUNE,
    "study": STUDY,
}

NOTES: Mapping[str, tuple[Rule, ...]] = {"train": TRAIN_NOTES}
"""Rules for options that are ignored, but with a note."""
