"""Files and folders appear whole or not at all."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from runtime.errors import EquipmentError, InputError
from runtime.files.atomic import replacing, replacing_folder, write_json, write_new, write_text


class DiedError(Exception):
    pass


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def die_writing(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise DiedError


def die_filling(path: Path) -> None:
    with replacing_folder(path) as temporary:
        (temporary / "a").write_text("half")
        raise DiedError


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")
    write_text(path, "new ü")
    assert path.read_text(encoding="utf-8") == "new ü"
    assert names(path.parent) == ["file.txt"]


def test_a_death_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(DiedError):
        die_writing(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_death_leaves_the_old_folder(tmp_path):
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "a").write_text("old")
    with pytest.raises(DiedError):
        die_filling(path)
    assert (path / "a").read_text() == "old"
    assert names(tmp_path) == ["bundle"]


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "bundle"
    for text in ("old", "new"):
        with replacing_folder(path) as temporary:
            (temporary / text).write_text(text)
    assert names(path) == ["new"]
    assert names(tmp_path) == ["bundle"]


def test_the_files_mode_is_the_umasks_not_a_temporary_files(tmp_path):
    before = os.umask(0o022)
    try:
        write_json(tmp_path / "a.json", {"b": 1})
        with replacing_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o755


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file/x"):
        write_text(tmp_path / "file" / "x", "")
    with (
        pytest.raises(InputError, match=r"cannot write"),
        replacing_folder(tmp_path / "file" / "y"),
    ):
        pass


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path):
    with pytest.raises(EquipmentError, match="No space left"), replacing(tmp_path / "file"):
        raise OSError(28, "No space left on device")
    assert not names(tmp_path)


class OwnError(Exception):
    """As libraries raise that write files themselves."""


def fail_with(path: Path, words: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise OwnError(words)


def test_the_disk_is_asked_why_a_library_could_not_write(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(InputError, match=r"cannot write .*file: File too large"):
            fail_with(tmp_path / "file", "unexpected pos 64 vs 0")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with pytest.raises(EquipmentError, match=r"cannot write .*file: Input/output error"):
        fail_with(tmp_path / "file", "I/O error: something (os error 5)")
    assert not names(tmp_path)


def test_an_error_that_the_disk_is_not_to_blame_for_stays_what_it_is(tmp_path):
    with pytest.raises(OwnError, match="a bug"):
        fail_with(tmp_path / "file", "a bug")
    assert not names(tmp_path)


def test_a_new_file_never_takes_the_place_of_another(tmp_path):
    path = tmp_path / "deep" / "a"
    write_new(path, b"first", 0o600)
    with pytest.raises(InputError, match="cannot write"):
        write_new(path, b"second", 0o600)
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_file_that_cannot_be_finished_does_not_stay(tmp_path, monkeypatch):
    def fail(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(EquipmentError, match="No space left"):
        write_new(tmp_path / "a", b"half", 0o600)
    assert names(tmp_path) == []


@pytest.mark.parametrize("step", [1, 2])
def test_an_interrupt_between_the_renames_brings_the_old_folder_back(tmp_path, monkeypatch, step):
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "a").write_text("old")
    rename, calls = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == step:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing_folder(path) as temporary:
        (temporary / "a").write_text("new")
    assert (path / "a").read_text() == "old"
    assert names(tmp_path) == ["bundle"]


def test_of_two_that_write_one_folder_at_once_the_last_wins(tmp_path, monkeypatch):
    path = tmp_path / "bundle"
    path.mkdir()
    rename, calls = Path.rename, []

    def raced(self: Path, target: Path) -> Path:
        result = rename(self, target)
        calls.append(target)
        if len(calls) == 1:  # the old one is aside: another process is quicker
            path.mkdir()
            (path / "a").write_text("other")
        return result

    monkeypatch.setattr(Path, "rename", raced)
    with replacing_folder(path) as temporary:
        (temporary / "a").write_text("mine")
    assert (path / "a").read_text() == "mine"
    assert names(tmp_path) == ["bundle"]
