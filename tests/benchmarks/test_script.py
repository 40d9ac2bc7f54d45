"""A script ends with one line where the user is wrong, and with a traceback where it is."""

from __future__ import annotations

import pytest

from benchmarks.script import run_script
from runtime.errors import EquipmentError, InputError


def raising(error: BaseException):
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("main", "code", "line"),
    [
        (lambda: None, 0, ""),
        (lambda: 1, 1, ""),
        (raising(InputError("no bundle at x", hint="make one")), 2, "no bundle at x; make one"),
        (raising(EquipmentError("the disk is gone", hint="")), 3, "the disk is gone"),
        (raising(FileNotFoundError(2, "No such file", "x")), 2, "x: No such file"),
        (raising(KeyboardInterrupt()), 130, "interrupted"),
    ],
)
def test_the_code_and_the_line(main, code, line, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["folder/some.py"])
    with pytest.raises(SystemExit) as ended:
        run_script(main)
    assert ended.value.code == code
    assert capsys.readouterr().err == (f"some.py: {line}\n" if line else "")


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("of no file")])
def test_what_is_no_mistake_of_the_user_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        run_script(raising(error))
