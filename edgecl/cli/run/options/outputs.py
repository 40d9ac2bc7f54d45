"""Options of `edgecl run` about what goes out: files, sinks and pages."""

from __future__ import annotations

import click

from edgecl.cli.options import FOLDER, Checked, option_group
from edgecl.cli.page_options import PAGE_OPTIONS
from edgecl.cli.run.checks import (
    check_lot,
    check_metrics,
    check_rotate,
    check_serve,
    check_sink,
)
from edgecl.cli.run.file_names import SPOOL, STREAMS, VERDICTS
from runtime.serving.address import SERVE_DEFAULT

METRICS = "127.0.0.1:9464"

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
