"""The group of verbs, and what every verb has in common: exit codes, Ctrl-C, quiet natives."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

import click

from edgecl import __version__
from edgecl.cli.results import Results, print_json
from edgecl.cli.signals import EXIT_INTERRUPTED, ended_like_ctrl_c, was_interrupted
from runtime.errors import EdgeclError

# Verb → its line in the help. Its module, edgecl.cli.VERB.command, is imported when it is called:
# `edgecl --help` stays quick and `edgecl run` never loads torch.
VERBS = {
    "train": "Train an encoder and evaluate it on a held-out test part.",
    "audit": "Find copies and overlaps within and between image sets; write groups.csv.",
    "pick": "Choose which unlabelled images to label next.",
    "study": "Run a grid of training runs and compare its tables with the paper's.",
    "export": "Export a trained run to a bundle; reject precisions that lose accuracy.",
    "run": "Judge camera frames within a latency budget.",
    "review": "Label collected images on a page; export them for training.",
    "tune": "Choose a line's thresholds: escapes against false rejects, proven.",
    "recipe": "Show or change the recipe of a running stream.",
    "check": "Check model, parts, light and focus of a line.",
    "replay": "Judge kept frames again by another bundle.",
    "history": "Count the verdicts of an archive by day, shift, lot or run.",
    "bench": "Measure bundles against each other and write a latency report.",
    "compare": "Compare latency reports: faster, slower, or no difference shown.",
    "camera": "Show and measure a camera, and record from it.",
    "inspect": "Show a bundle's contents and verify its files.",
    "keys": "Make a key pair for signing and verifying bundles.",
    "encoders": "List the encoders with their parameters and multiply-accumulates.",
    "service": "Let systemd run a line: write, print or remove its unit.",
    "pack": "Pack wheels, bundle and configuration for a box without a network.",
    "doctor": "Check this machine's hardware and packages, and list what is missing.",
    "demo": "Train, export, run and bench end to end on built-in surfaces.",
}

EXIT_USER = 2
# How long a rank waits for the first one to say what was wrong; torchrun ends the wait sooner.
FIRST_SPEAKS_S = 10.0

# The package that each import belongs to, for the line that says what to install.
_TRAIN_PACKAGES = frozenset(
    {"torch", "onnx", "onnxscript", "sklearn", "safetensors", "sympy", "scipy", "threadpoolctl"}
)


class LazyVerbs(click.Group):
    """A group that knows its verbs by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which a user meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the verb's module and take its `command`."""
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"edgecl.cli.{name}.command").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb. Where no terminal echoes a ^C, no line has to be ended after it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            if sys.stderr is not None and sys.stderr.isatty():
                raise
            raise click.Abort from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs' lines without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgecl")
@click.option("--debug", is_flag=True, help="Show tracebacks and what native libraries print.")
def edgecl(debug: bool) -> None:
    """Take metal-surface images to judged camera frames: train, export, run, bench."""


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code: 0 done; 1 a gate or budget failed; 2 the user's mistake; 3 equipment failed
        in service; 130 stopped by Ctrl-C, SIGTERM or SIGHUP.
    """
    # `--debug` counts wherever it stands: nobody remembers which side of the verb it belongs to.
    rest = [argument for argument in arguments if argument != "--debug"]
    debug = len(rest) != len(arguments)
    if not debug:
        from runtime.standard_streams import silence_native_output
        from runtime.systemd import WARNING, is_journal

        journal = is_journal(2)
        silence_native_output()
        if journal:
            logging.basicConfig(format=f"<{WARNING}>%(message)s")
    else:
        logging.basicConfig(format="%(name)s: %(message)s")
        logging.getLogger("edgecl").setLevel(logging.DEBUG)
    results = Results()
    ended = _end_of(rest, results, debug=debug)
    if isinstance(ended, int):
        return _seen(ended, results)
    if not debug or isinstance(ended, _EndError):
        _tell(ended, ended.exit_code)
    if ("--json" in rest or results.json_asked) and not results.has_json and _is_first_rank():
        print_json({"error": ended.to_json()})
    return _seen(ended.exit_code, results)


class _EndError(EdgeclError):
    """An error that has no traceback worth a look."""

    def __init__(self, problem: str, code: str, exit_code: int, *, hint: str = "") -> None:
        super().__init__(problem, hint=hint, code=code)
        self.exit_code = exit_code


def _end_of(arguments: Sequence[str], results: Results, *, debug: bool) -> EdgeclError | int:
    """Run the command.

    Returns:
        Its exit code, or the error that ended it.
    """
    try:
        with ended_like_ctrl_c():
            code = edgecl.main(
                args=list(arguments), prog_name="edgecl", standalone_mode=False, obj=results
            )
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_USER
    except click.UsageError as error:
        verb = error.ctx.command_path if error.ctx else "edgecl"
        problem = error.format_message().rstrip(".")
        return _EndError(problem, "usage", EXIT_USER, hint=f"see '{verb} --help'")
    except click.ClickException as error:
        return _EndError(error.format_message(), "usage", EXIT_USER)
    except EdgeclError as error:
        if debug:
            traceback.print_exc()
        return error
    except (KeyboardInterrupt, click.Abort):
        return _EndError("interrupted", "interrupted", EXIT_INTERRUPTED)
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if debug or package not in _TRAIN_PACKAGES:
            raise
        return _EndError(
            f"this command needs {package}, which is not installed",
            "package-missing",
            EXIT_USER,
            hint="install it: pip install 'edgecl[train]'",
        )
    except Exception:
        if debug or not was_interrupted():
            raise
        return _EndError("interrupted", "interrupted", EXIT_INTERRUPTED)


def _seen(code: int, results: Results) -> int:
    """The exit code, once standard output is written, or was not.

    What was done stays done, and a gate that failed stays failed. Only where standard output was
    the result, and the command would have ended with 0, is its loss a failure.
    """
    from runtime.standard_streams import problem_of_standard_output

    problem = problem_of_standard_output()
    if problem is None:
        return code
    line = f"cannot write to standard output ({problem.strerror or problem})"
    if results.place is not None:
        line += f"; the results are in {results.place}"
    place = "a file" if problem.errno == errno.EBADF else "a disk with free space"
    hint = f"redirect it to {place}" if results.printed else ""
    code = (code or EXIT_USER) if results.printed else code
    _tell(_EndError(line, "output-lost", code, hint=hint), code)
    return code


def _is_first_rank() -> bool:
    return "WORLD_SIZE" not in os.environ or os.environ.get("RANK", "0") == "0"


def _tell(error: EdgeclError, code: int) -> None:
    """Say on standard error, in one line, what ended the command."""
    if not _is_first_rank():
        # One of several ranks: the first says it. torchrun ends all as soon as one has ended.
        if code != EXIT_INTERRUPTED:
            time.sleep(FIRST_SPEAKS_S)
        return
    line = " ".join(str(error).split())
    suffix = "" if error.code == "interrupted" else f" [{error.code}]"
    print(f"edgecl: {line}{suffix}", file=sys.stderr)  # noqa: T201
