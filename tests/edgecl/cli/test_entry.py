"""The command as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from edgecl.cli import shell


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_import_that_a_signal_broke_off_is_an_interruption(monkeypatch, capsys, number):
    def main(**given: object) -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt as error:  # as an extension module does with it
            raise ImportError("initialization failed") from error

    monkeypatch.setattr("edgecl.cli.signals._asked_s", -10.0)
    monkeypatch.setattr(shell.edgecl, "main", main)
    assert shell.run(["encoders"]) == 130
    assert capsys.readouterr().err.endswith("edgecl: interrupted\n")


def test_another_import_that_fails_is_none(monkeypatch):
    def main(**given: object) -> None:
        raise ImportError("initialization failed")

    monkeypatch.setattr(shell.edgecl, "main", main)
    with pytest.raises(ImportError):
        shell.run(["encoders"])
