"""Make the README's images from what `make demo` wrote: `python -m docs.screenshots demo`.

The pages of the demo are photographed by a headless Chromium. For the terminal, two commands are
run on the demo's bundles, and the functions that print their results draw them again. Needs
`chromium` on the PATH.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import cv2
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image  # matplotlib brings it
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from edgecl.cli.bench import table
from edgecl.cli.run import view
from runtime.benchmark import LatencyReport, read_report
from runtime.stream.summary import StreamSummary, read_summary

IMAGES = Path(__file__).parent / "images"
LARGEST = 150_000
"""Bytes of an image, at most."""

COLUMNS = 98
WIDTH = 1240
COLOURS = 256

RUN = "edgecl run --model shufflenet.edgecl --camera strip.avi --fps 60 --budget total=50ms"
BENCH = "edgecl bench convnet.edgecl shufflenet.edgecl --frame-size 256x256"

THEME = TerminalTheme(
    (22, 27, 34),
    (214, 221, 230),
    [
        (22, 27, 34),
        (248, 113, 113),
        (110, 205, 130),
        (232, 190, 90),
        (110, 168, 254),
        (208, 140, 236),
        (90, 200, 210),
        (214, 221, 230),
    ],
)

_FORMAT = """<!DOCTYPE html><html><head><meta charset="utf-8"><style>
body {{ background: {background}; color: {foreground}; margin: 0; padding: 22px 26px; }}
pre {{ font: 15px/1.4 "DejaVu Sans Mono", monospace; margin: 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }}
{stylesheet}
</style></head><body><pre><code style="font-family: inherit">{code}</code></pre></body></html>"""


def terminal_page(parts: list[tuple[str, Callable[[Console], None]]]) -> str:
    """Return an HTML page that shows commands and what each prints.

    Args:
        parts: a command, and what prints its output on a console.
    """
    console = Console(
        record=True,
        width=COLUMNS,
        file=StringIO(),
        highlight=False,
        force_terminal=True,
        color_system="truecolor",
    )
    for number, (command, show) in enumerate(parts):
        if number:
            console.print()
        console.print(f"[bold cyan]$[/] [bold]{command}[/]")
        show(console)
    return console.export_html(theme=THEME, code_format=_FORMAT, inline_styles=True)


def show_stream(summary: StreamSummary) -> Callable[[Console], None]:
    """Return what prints a stream's summary."""
    return lambda console: view.print_summary(console, summary)


def show_report(report: LatencyReport, *, sides: int) -> Callable[[Console], None]:
    """Return what prints the first sides of a latency report."""
    shown = replace(report, sides=report.sides[:sides])
    return lambda console: table.print_summary(shown, console)


def photograph(page: Path, image: Path, *, height: int, width: int = WIDTH) -> None:
    """Photograph the head of a page.

    Args:
        page: an HTML file.
        image: the PNG to write.
        height, width: of the window, in CSS pixels.

    Raises:
        SystemExit: no Chromium, or it failed.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("screenshots need chromium; install it: apt-get install chromium")
    subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--window-size={width},{height}",
            f"--screenshot={image.resolve()}",
            page.resolve().as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )


def trimmed(pixels: NDArray[np.uint8], margin: int = 22) -> NDArray[np.uint8]:
    """Return an image without the empty rows at its foot.

    Args:
        pixels: uint8, H×W×3.
        margin: rows that stay below the last one that is not empty.
    """
    filled = np.flatnonzero((pixels != pixels[-1, -1]).any(axis=(1, 2)))
    end = int(filled[-1]) + 1 + margin if filled.size else len(pixels)
    return pixels[:end]


def keep(photo: Path, name: str) -> Path:
    """Write a photograph into `docs/images/`, as a PNG with a palette.

    Raises:
        SystemExit: it is larger than `LARGEST`.
    """
    pixels = cv2.imread(str(photo))
    assert pixels is not None
    rgb = cv2.cvtColor(trimmed(pixels.astype(np.uint8)), cv2.COLOR_BGR2RGB)
    image = Image.fromarray(rgb)
    # Maximum coverage keeps colours that only a few words have.
    palette = image.quantize(
        COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE
    )
    out = IMAGES / name
    palette.save(out, optimize=True)
    size = out.stat().st_size
    if size > LARGEST:
        sys.exit(f"{out} has {size} bytes, more than {LARGEST}: show less of the page")
    return out


def run_edgecl(command: str, folder: Path) -> None:
    """Run a command that the terminal's image shows, with `folder` as the current one.

    Raises:
        CalledProcessError: it failed.
    """
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    words = shlex.split(command)[1:]
    subprocess.run([sys.executable, "-m", "edgecl", *words], cwd=folder, env=here, check=True)


def main() -> None:
    """Make all images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path, help="the folder that `make demo` wrote")
    demo: Path = parser.parse_args().demo
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("strip.avi", "convnet.edgecl", "shufflenet.edgecl"):
            (place / name).symlink_to((demo / name).resolve())
        run_edgecl(RUN, place)
        run_edgecl(BENCH, place)
        (summary,), (report,) = place.glob("streams/*/summary.json"), place.glob("bench/*/*.json")
        stream, latency = read_summary(summary), read_report(report)
    terminal = terminal_page(
        [(RUN, show_stream(stream)), (BENCH, show_report(latency, sides=len(latency.sides)))]
    )
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page, photo = Path(folder) / "terminal.html", Path(folder) / "photo.png"
        page.write_text(terminal, encoding="utf-8")
        photograph(page, photo, height=1200, width=980)
        written = [keep(photo, "terminal.png")]
        for source, name, height in (
            (demo / "runs" / "shufflenet" / "report.html", "training.png", 1280),
            (demo / "shufflenet.edgecl" / "report.html", "export.png", 960),
            (demo / "bench" / "latency.html", "latency.png", 1320),
        ):
            photograph(source, photo, height=height)
            written.append(keep(photo, name))
    for path in written:
        sys.stdout.write(f"{path} {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
