"""`edgecl run --serve`: the page of a stream, or of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from edgecl.cli.verb import naming_place

if TYPE_CHECKING:
    from edgecl.cli.run.choices import RunChoices
    from edgecl.cli.run.stream import InspectionStream
    from runtime.progress import Say
    from runtime.serving.live.source import PartsSource
    from runtime.serving.live.window import CameraWindow
    from runtime.serving.opening import OpenedPages
    from runtime.stream.pipeline import Pipeline
    from runtime.stream.sinks import Sink


class LivePage:
    """The live page of a command.

    Args:
        pages: opened.
        lot: that is judged; empty without a name.
    """

    def __init__(self, pages: OpenedPages, lot: str) -> None:
        self._pages = pages
        self._lot = lot

    def show(
        self,
        streams: Mapping[str, InspectionStream],
        pipelines: Mapping[str, Pipeline],
        sinks: Sequence[Sink],
        parts: PartsSource | None = None,
    ) -> None:
        """Show streams that are about to start.

        Args:
            streams: by the camera's name; the only one's is empty.
            pipelines: of each.
            sinks: that take the verdicts of all.
            parts: where the cameras' verdicts are joined.

        Raises:
            EquipmentError: the page cannot be served.
        """
        from runtime.serving.live.source import LiveSource, ShownStream

        first = next(iter(streams.values()))
        source = LiveSource(first.model.name, first.model_line(), self._lot, sinks, parts)
        for name, stream in streams.items():
            assert stream.window is not None
            source.watch(
                ShownStream(
                    name,
                    pipelines[name],
                    stream.camera,
                    stream.window,
                    stream.sink,
                    stream.heat_maps,
                    stream.shadow,
                )
            )
        self._pages.server.start(source.answer)

    def opening_line(self) -> str:
        """Describe where the page is."""
        return f"page: {self._pages.url}"


@contextmanager
def live_page(
    choices: RunChoices, context: click.Context, remark: Say
) -> Iterator[LivePage | None]:
    """Yield the page; None where none is wanted.

    Raises:
        InputError: it cannot be served as it is asked for.
    """
    if choices.serve is None:
        yield None
        return
    from runtime.serving.opening import open_pages

    with naming_place(context, "serve", "serve_token", "serve_cert", "serve_key"):
        pages = open_pages(
            choices.serve,
            remark,
            token_file=choices.serve_token,
            certificate=choices.serve_cert,
            key=choices.serve_key,
            names=choices.serve_names,
        )
    try:
        yield LivePage(pages, choices.lot or "")
    finally:
        pages.server.close()


def window_of(page: LivePage | None, bits: int | None) -> CameraWindow | None:
    """Return what the page sees of a camera's stream; None without a page.

    Args:
        bits: how many bits of 16-bit frames are used.
    """
    if page is None:
        return None
    from runtime.serving.live.window import CameraWindow

    return CameraWindow(bits)
