"""A real TensorRT's own words, through the recorder of its log. It needs no GPU to refuse."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.errors import InputError
from runtime.session.tensorrt.engine import LoadedEngine
from runtime.session.tensorrt.log import errors_of, recording
from runtime.session.tensorrt.module import load_tensorrt


@pytest.fixture(scope="module")
def rtx() -> Any:
    try:
        return load_tensorrt("tensorrt_rtx")
    except InputError as error:
        pytest.skip(str(error))


def test_bytes_that_are_no_engine(rtx):
    file: Any = SimpleNamespace(path=Path("junk.engine"))
    with pytest.raises(InputError, match=r"RTX .* cannot load the engine junk.engine") as got:
        LoadedEngine().load(rtx, file, b"no engine at all" * 100)
    assert "magicTag" in str(got.value)
    assert "\n" not in str(got.value)
    assert len(str(got.value)) < 700


def test_threads_read_what_was_said_to_them(rtx):
    heard: list[str] = []

    def other() -> None:
        with recording(rtx) as (logger, lines):
            logger.log(rtx.ILogger.Severity.ERROR, "to the other")
            heard.append(errors_of(lines))

    with recording(rtx) as (logger, lines):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        logger.log(rtx.ILogger.Severity.ERROR, "to me")
        logger.log(rtx.ILogger.Severity.VERBOSE, "chatter")
        assert [line.text for line in lines] == ["to me"]
        with recording(rtx) as (_, inner):
            logger.log(rtx.ILogger.Severity.WARNING, "inside")
        assert [line.severity for line in inner] == ["warning"]
        assert len(lines) == 1
    assert heard == ["to the other"]


def test_what_tensorrts_own_threads_say_goes_to_all(rtx):
    with recording(rtx) as (logger, lines):
        thread = threading.Thread(target=logger.log, args=(rtx.ILogger.Severity.ERROR, "aside"))
        thread.start()
        thread.join()
        assert errors_of(lines) == "aside"
    assert errors_of([]) == "TensorRT gave no reason"
