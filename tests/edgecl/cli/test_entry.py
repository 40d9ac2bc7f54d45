"""The command as a process."""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_name_that_is_no_utf8_can_be_printed_to_any_terminal():
    code = (
        "from edgecl.__main__ import main\n"
        "from edgecl.cli import shell\n"
        "shell.run = lambda _: print('scratch_\\udce4.png') or 0\n"
        "main()\n"
    )
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=strict)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == rb"scratch_\udce4.png"
