"""Entry of the `edgecl` command and of `python -m edgecl`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from runtime.standard_streams import guard_standard_streams

    guard_standard_streams()  # first of all: a file that is opened must not get descriptor 2
    from edgecl.cli.shell import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
