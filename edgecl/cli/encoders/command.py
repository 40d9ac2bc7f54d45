"""`edgecl encoders`: list the encoders and their cost."""

from __future__ import annotations

import click

from edgecl.cli.options import ImageSize
from edgecl.cli.results import print_json
from edgecl.cli.verb import Verb
from runtime.errors import InputError


@click.command("encoders", cls=Verb, short_help="List the encoders and their cost.")
@click.option(
    "--image-size",
    type=ImageSize(),
    default="128x128",
    show_default=True,
    help="Image size to count for.",
)
@click.option(
    "--channels",
    type=click.Choice(["1", "3"]),
    default="1",
    show_default=True,
    help="Input channels: 1 (gray) or 3.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(image_size: tuple[int, int], channels: str, as_json: bool) -> None:
    """List the encoders with their parameters and multiply-accumulates.

    Encoders that cannot process the image size are skipped, with the reason on standard error.
    """
    import torch

    from edgecl.encoders import ENCODERS, build_encoder
    from edgecl.encoders.complexity import count_macs, count_parameters

    rows, refusals = [], []
    for name in ENCODERS:
        try:
            with torch.device("meta"):  # shapes alone are counted
                encoder = build_encoder(name, channels=int(channels), image_size=image_size)
        except InputError as error:
            refusals.append(error)
            continue
        rows.append(
            {
                "name": name,
                "parameters": count_parameters(encoder),
                "macs": count_macs(encoder, channels=int(channels), image_size=image_size),
                "image_size": list(image_size),
                "channels": int(channels),
            }
        )
    for refusal in refusals:
        click.echo(f"skipped: {refusal}", err=True)
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("encoder")
    table.add_column("parameters", justify="right")
    table.add_column(f"MMAC at {image_size[0]}x{image_size[1]}x{channels}", justify="right")
    for row in rows:
        table.add_row(str(row["name"]), f"{row['parameters']:,}", f"{row['macs'] / 1e6:,.1f}")  # type: ignore[operator]
    Console(highlight=False).print(table)
