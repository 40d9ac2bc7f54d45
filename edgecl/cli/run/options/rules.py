"""Options of `edgecl run` about rules, checks and the machine that it runs on."""

from __future__ import annotations

import click

from edgecl.cli.options import ANY_PATH, FOLDER, Checked, option_group
from edgecl.cli.run.checks import (
    check_budget,
    check_cpus,
    check_debounce,
    check_label,
    check_threshold,
    check_time,
    check_window,
)

rule_options = option_group(
    click.option(
        "--budget",
        type=Checked("budget", check_budget, prefix=""),
        metavar="STEP=TIME,...",
        help="Time limits per step, e.g. total=20ms,infer=8ms. A frame without a verdict "
        "within its total gets the status of --on-late.",
    ),
    click.option(
        "--max-misses",
        type=click.FloatRange(0, 1),
        default=1.0,
        show_default=True,
        help="Maximum share of judged frames that may miss the budget; above it, the exit code "
        "is 1.",
    ),
    click.option(
        "--on-late",
        type=click.Choice(["late", "reject", "pass", "unsure"]),
        default="late",
        show_default=True,
        help="Status that goes out at the deadline where there is no verdict by then.",
    ),
    click.option(
        "--pass-label",
        "pass_labels",
        multiple=True,
        type=Checked("label", check_label),
        metavar="LABEL",
        help="Label that lets a part pass, in place of the model's. Repeatable.  "
        "[default: the bundle's]",
    ),
    click.option(
        "--unsure-below",
        multiple=True,
        type=Checked("confidence", check_threshold),
        default=("0.5",),
        metavar="[LABEL=]SHARE",
        help="Confidence below which a verdict is 'unsure': for all labels, or for one. "
        "Repeatable.  [default: 0.5]",
    ),
    click.option(
        "--debounce",
        type=Checked("debounce", check_debounce),
        metavar="N/M",
        help="Let a reject out only if N of the last M frames were rejects.  "
        "[default: every reject]",
    ),
    click.option(
        "--unknown",
        type=click.Choice(["on", "off"]),
        default="on",
        show_default=True,
        help="Call frames 'unknown' that are farther from the training images than the bundle's "
        "limit, and watch for drift away from them.",
    ),
    click.option(
        "--unknown-above",
        type=click.FloatRange(0, min_open=True),
        metavar="DISTANCE",
        default=1.0,
        show_default=True,
        help="Distance above which a frame is 'unknown'; 1 is the bundle's limit.",
    ),
    click.option(
        "--part-of",
        type=Checked("window", check_window),
        metavar="TIME|trigger",
        help="Give each part that several cameras see one verdict, the worst of theirs: of frames "
        "within a time, e.g. 20ms, or of one trigger.",
    ),
    click.option(
        "--part-deadline",
        type=Checked("time", check_time),
        metavar="TIME",
        help="Time from a part's first frame after which a missing camera makes it a fault.  "
        "[default: the window and the total budget, or else a second]",
    ),
)

check_options = option_group(
    click.option(
        "--check-parts",
        type=FOLDER,
        help="Folder of the site's own parts for 'edgecl check': a folder per label in it, or good "
        "and bad. {recipe} in it stands for the recipe's id.",
    ),
    click.option(
        "--check-wrong-at-most",
        "check_wrong",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        metavar="N",
        help="Parts that a check may answer wrongly.",
    ),
    click.option(
        "--check-reference",
        type=ANY_PATH,
        metavar="FILE",
        help="Light and focus that a check compares with, as 'edgecl check --record' wrote them.  "
        "[default: those of the training images]",
    ),
)

machine_options = option_group(
    click.option(
        "--realtime",
        is_flag=True,
        help="Lock the memory and take a real-time scheduling class, where permitted.",
    ),
    click.option(
        "--cpus",
        type=Checked("cores", check_cpus),
        metavar="LIST",
        help="Cores to run on, e.g. 2,3 or 2-5, where permitted.  [default: all]",
    ),
)
