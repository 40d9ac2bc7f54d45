"""Options of `edgecl run` about what goes in: its configuration, model and cameras."""

from __future__ import annotations

import click

from edgecl.cli.engine_choices import build_options
from edgecl.cli.options import ANY_PATH, DEVICE, LOGIN_FILE, Checked, Region, option_group
from edgecl.cli.run.checks import (
    check_health_limit,
    check_recipe,
    check_setting,
)
from edgecl.cli.run.config.option import CONFIG_OPTION
from edgecl.cli.server_options import SERVER_OPTIONS
from runtime.artifact.contract import BITS

config_options = option_group(
    CONFIG_OPTION,
    click.option(
        "--print-config",
        is_flag=True,
        help="Print the whole configuration as TOML for --config, and do nothing else. Passwords "
        "in camera addresses become ***.",
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
    LOGIN_FILE,
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
