"""Sessions of the model that a stream judges by."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.verb import naming_place

if TYPE_CHECKING:
    from rich.console import Console

    from edgecl.cli.run.choices import RunChoices
    from runtime.artifact.bundle import Bundle
    from runtime.progress import Say
    from runtime.session import Candidate, Session


def open_chosen_model(
    choices: RunChoices,
    source: Bundle | Path,
    context: click.Context,
    console: Console,
    say: Say,
    remark: Say,
    stack: ExitStack,
) -> tuple[list[Session], Sequence[Candidate]]:
    """Open the model in the fastest way that the choices allow, once for each worker.

    Args:
        source: the bundle, verified, or the path of a lone file.
        stack: closes the sessions.

    Raises:
        InputError: it cannot be opened.
    """
    from edgecl.cli.engine_choices import engine_builder
    from edgecl.cli.progress import reporting
    from edgecl.cli.run.service.supervision import open_when_there
    from runtime.session.opening import open_fastest
    from runtime.session.spec import ENGINES, GPU

    threads = choices.threads or threads_per_worker(choices.workers)
    sessions: list[Session] = []
    candidates: Sequence[Candidate] = ()
    precision, engine = choices.precision, choices.engine
    with (
        reporting(console) as progress,
        naming_place(context, "engine", "precision", "device", "model", "url", "server_model"),
    ):
        builder = engine_builder(
            choices.building(), progress, say, own_only=choices.verify_key is not None
        )
        for _ in range(choices.workers):
            opener = partial(
                open_fastest,
                source,
                precision,
                engine=engine,
                threads=threads,
                device=choices.device,
                engine_for=builder,
                server=choices.server(),
                report=remark,
            )
            session, measured = open_when_there(opener, remark)
            sessions.append(stack.enter_context(session))
            candidates = candidates or measured
            # The others are as the first: nothing is measured twice.
            if not (isinstance(source, Path) and source.is_file()):
                precision = session.precision
            if ENGINES[session.engine].device != GPU:
                engine = session.engine
    return sessions, candidates


def threads_per_worker(workers: int) -> int:
    """The inference threads of each worker: all cores but one, which is left for capture."""
    from runtime.session.opening import default_threads

    return max(1, (default_threads() - 1) // workers)
