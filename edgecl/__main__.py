"""Entry of the `edgecl` command and of `python -m edgecl`."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from edgecl.cli.shell import run

    for stream in (sys.stdout, sys.stderr):
        # A file name that is not UTF-8 must not end the command that prints it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
