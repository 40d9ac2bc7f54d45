"""End of a script of this folder: one line where the user is wrong, a traceback where we are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from edgecl.cli.signals import EXIT_INTERRUPTED
from runtime.errors import EdgeclError


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's `main` and exit: 0 or what it returns, 2 for a mistake, 130 on Ctrl-C.

    A file or folder that cannot be read or written is a mistake too.
    """
    try:
        code = main() or 0
    except EdgeclError as error:
        code, problem = error.exit_code, str(error)
    except OSError as error:
        if error.filename is None:
            raise
        code, problem = EdgeclError.exit_code, f"{error.filename}: {error.strerror}"
    except KeyboardInterrupt:
        code, problem = EXIT_INTERRUPTED, "interrupted"
    else:
        sys.exit(code)
    print(f"{Path(sys.argv[0]).name}: {problem}", file=sys.stderr)
    sys.exit(code)
