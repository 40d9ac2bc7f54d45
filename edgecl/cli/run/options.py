"""Options of `edgecl run`, by what they are about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from edgecl.cli.engine_choices import build_options
from edgecl.cli.options import ANY_PATH, DEVICE, FOLDER, Checked, Region, option_group
from edgecl.cli.page_options import PAGE_OPTIONS
from edgecl.cli.run.checks import (
    check_budget,
    check_cpus,
    check_debounce,
    check_health_limit,
    check_label,
    check_lot,
    check_metrics,
    check_recipe,
    check_rotate,
    check_serve,
    check_setting,
    check_sink,
    check_threshold,
    check_time,
    check_window,
)
from edgecl.cli.run.config.option import CONFIG_OPTION
from edgecl.cli.server_options import SERVER_OPTIONS
from runtime.artifact.contract import BITS
from runtime.serving.address import SERVE_DEFAULT

STREAMS = "streams"
SPOOL = f"{STREAMS}/spool"
METRICS = "127.0.0.1:9464"
VERDICTS = "verdicts.jsonl"
LATE = "late.jsonl"
PARTS = "parts.jsonl"

config_options = option_group(
    CONFIG_OPTION,
    click.option(
        "--print-config",
        is_flag=True,
        help="Print the whole configuration as TOML for --config, and do nothing else. Passwords "
        "in camera addresses are printed.",
    ),
)

model_options = option_group(
    click.option(
        "--model",
        type=ANY_PATH,
        help="Bundle, .onnx file of a bundle, or built .engine file.  [default: the newest "
        "bundle here or in runs/]",
    ),
    click.option(
        "--recipe",
        multiple=True,
        type=Checked("recipe", check_recipe, prefix=""),
        metavar="ID=BUNDLE",
        help="Bundle that the running stream can change to, by id: see 'edgecl recipe'. "
        "Repeatable.",
    ),
    click.option(
        "--begin-with",
        metavar="ID",
        help="Recipe that the stream begins with.  [default: the first]",
    ),
    click.option(
        "--shadow",
        type=ANY_PATH,
        metavar="BUNDLE",
        help="Second bundle that judges the same frames beside the first and acts on nothing; its "
        "disagreements are listed.",
    ),
    click.option(
        "--verify-key",
        type=ANY_PATH,
        metavar="PUB",
        help="Require a signature by this public key.",
    ),
    click.option(
        "--precision",
        default="auto",
        show_default=True,
        help="auto (fastest on this machine), fp32, fp16 or int8.",
    ),
    click.option(
        "--engine",
        default="auto",
        show_default=True,
        help="auto (fastest on this machine), onnxruntime, openvino, tensorrt, or oip: a server at "
        "--url.",
    ),
    *SERVER_OPTIONS,
    DEVICE,
    build_options,
    click.option(
        "--threads",
        type=click.IntRange(1, 1024),
        help="Inference threads of each worker.  [default: all cores but one, which is left for "
        "capture, shared by the workers]",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="Frames that are judged at the same time, each by a session of its own: more frames "
        "per second, each later.",
    ),
)

camera_options = option_group(
    click.option(
        "--camera",
        "source",
        required=True,
        multiple=True,
        metavar="[NAME=]SOURCE",
        help="Device index, URL, video file, folder of images, or demo. Of several cameras each "
        "needs a name. Repeatable.",
    ),
    click.option(
        "--every-frame/--latest",
        "every_frame",
        default=None,
        help="Judge every frame, or always the latest one.  [default: every frame of files, "
        "else the latest]",
    ),
    click.option("--frames", type=click.IntRange(1), help="Stop after this many frames."),
    click.option(
        "--fps",
        type=click.FloatRange(0, min_open=True),
        help="Frame rate of the demo line or a GenICam camera, or at which files are played.",
    ),
    click.option(
        "--give-up-after",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="End with code 3 when a lost camera is not back by then.  [default: try for ever]",
    ),
    click.option(
        "--trigger",
        type=click.Choice(["software", "line", "external"]),
        help="What each frame of a GenICam camera waits for: edgecl, at --fps; a line of the "
        "camera; or what the camera is set to.  [default: cameras run freely]",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        type=Checked("setting", check_setting),
        metavar="FEATURE=VALUE",
        help="Setting of a video device or GenICam camera, by GenICam's name, e.g. "
        "ExposureTime=500; it gets it again after every loss. Repeatable.",
    ),
    click.option(
        "--bits",
        type=click.IntRange(BITS[0], BITS[-1]),
        help="How many bits of a 16-bit frame are used, e.g. 12.  [default: from the source, "
        "from training, or from the values in a folder]",
    ),
    click.option(
        "--roi",
        type=Region(or_none=True),
        metavar="LEFT,TOP,WIDTH,HEIGHT",
        help="Region of interest in pixels that frames are cut to, in place of the bundle's; none "
        "for whole frames.  [default: the bundle's]",
    ),
    click.option(
        "--flat",
        type=ANY_PATH,
        metavar="FILE",
        help="Flat-field that frames are corrected with, in place of the bundle's; none to leave "
        "them as they come.  [default: the bundle's]",
    ),
    click.option(
        "--health",
        type=click.Choice(["on", "off"]),
        default="on",
        show_default=True,
        help="Look for dark, bright, repeated, frozen and damaged frames, and for slow changes of "
        "the camera.",
    ),
    click.option(
        "--health-limit",
        "health_limits",
        multiple=True,
        type=Checked("health limit", check_health_limit, prefix=""),
        metavar="NAME=VALUE",
        help="Limit beyond which a frame is at fault, e.g. dark-below=0.05. Repeatable.  "
        "[default: learnt at export, else stated ones]",
    ),
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

output_options = option_group(
    click.option(
        "--sink",
        "sinks",
        multiple=True,
        type=Checked("sink", check_sink, prefix=""),
        metavar="NAME[:TARGET]",
        help="Send verdicts to another sink too, e.g. jsonl:copy.jsonl or "
        "sqlite:/var/lib/edgecl/line.sqlite; or let it act on the machine: gpio:… or "
        "modbus:HOST:PORT. Repeatable.",
    ),
    click.option(
        "--lot",
        type=Checked("lot", check_lot),
        metavar="TEXT",
        help="Lot that is judged, which an archive (--sink sqlite:FILE) keeps with the run.",
    ),
    click.option(
        "--spool",
        type=FOLDER,
        help="Folder in which verdicts wait for other machines, also until the next start.  "
        f"[default: {SPOOL}]",
    ),
    click.option(
        "--journal-rotate",
        type=Checked("rotation", check_rotate, prefix=""),
        metavar="SIZE|day",
        help=f"Begin another {VERDICTS} before it has more than SIZE, e.g. 64MiB, or each day.  "
        "[default: one file]",
    ),
    click.option(
        "--journal-keep",
        type=click.IntRange(1, 999_999),
        metavar="N",
        help="Keep the newest N of the files that were closed.  [default: all]",
    ),
    click.option(
        "--journal-fsync",
        type=click.Choice(["none", "interval", "every"]),
        default="none",
        show_default=True,
        help=f"When {VERDICTS} is forced to the disk: when the system likes, each second, or "
        "before a verdict counts as written.",
    ),
    click.option(
        "--metrics",
        is_flag=False,
        flag_value=METRICS,
        type=Checked("metrics", check_metrics, prefix=""),
        metavar="[[HOST:]PORT]",
        help="Serve metrics for Prometheus; on a network with HOST:PORT?token-file=FILE.  "
        f"[default: not served; {METRICS} without a value]",
    ),
    click.option(
        "--heat-maps",
        type=click.IntRange(1, 100_000),
        metavar="N",
        help="Keep images of the newest N rejects that show where the network sees the defect.  "
        "[default: none]",
    ),
    click.option(
        "--out", type=FOLDER, help=f"Folder for {VERDICTS}.  [default: {STREAMS}/DATE-TIME]"
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON."),
)

serve_options = option_group(
    click.option(
        "--serve",
        is_flag=False,
        flag_value=SERVE_DEFAULT,
        type=Checked("address", check_serve),
        metavar="[HOST:PORT]",
        help="Show the line on a page for browsers; to other machines only with a token.  "
        f"[default: no page; without a value {SERVE_DEFAULT}]",
    ),
    *PAGE_OPTIONS,
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


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `edgecl run` its options."""
    return option_group(
        config_options,
        camera_options,
        model_options,
        rule_options,
        output_options,
        serve_options,
        check_options,
        machine_options,
    )(command)
