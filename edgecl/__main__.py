"""Entry of the `edgecl` command and of `python -m edgecl`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        _main()
    except KeyboardInterrupt:  # before the command knew what to do about it, or after its end
        sys.exit(130)


def _main() -> None:
    from edgecl.packages import HiddenPackageError, require_own_packages

    try:
        require_own_packages()
    except HiddenPackageError as error:
        # Neither our streams nor our errors can be imported: the line is written as they would.
        print(f"edgecl: {error} [{error.code}]", file=sys.stderr)  # noqa: T201
        if "--json" in sys.argv[1:]:
            import json

            print(json.dumps({"error": error.to_json()}, indent=2, ensure_ascii=False))  # noqa: T201
        sys.exit(error.exit_code)
    from runtime.standard_streams import guard_standard_streams

    guard_standard_streams()  # first of all: a file that is opened must not get descriptor 2
    from edgecl.cli.shell import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
