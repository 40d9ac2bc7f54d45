"""Places to write: each process has its own, or is refused before it works."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pytest

from runtime.errors import EquipmentError, InputError
from runtime.files.output_folder import new_folder, own_file, own_folder

SPAWN = multiprocessing.get_context("spawn")


def take_new(path: Path, start: Barrier) -> None:
    start.wait(60)
    with new_folder(path) as folder:
        (folder / str(os.getpid())).write_text("mine")


def make_and_leave(path: Path, start: Barrier) -> None:
    """Claims that come to nothing, whose folders above come and go with them."""
    start.wait(60)
    for _ in range(300):
        with new_folder(path):
            pass


def hold(path: Path, held: Event, leave: Event) -> None:
    with own_folder(path):
        held.set()
        leave.wait(60)


def run_at_once(work, path: Path, count: int) -> list[int | None]:
    start = SPAWN.Barrier(count)
    processes = [SPAWN.Process(target=work, args=(path, start)) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def test_processes_that_start_at_once_have_a_folder_each(tmp_path):
    assert run_at_once(take_new, tmp_path / "streams" / "now", 4) == [0] * 4
    folders = sorted(path.name for path in (tmp_path / "streams").iterdir())
    assert folders == ["now", "now-2", "now-3", "now-4"]
    assert all(len(list((tmp_path / "streams" / name).iterdir())) == 1 for name in folders)


def test_claims_that_come_and_go_at_once_do_not_stumble_over_each_other(tmp_path):
    assert run_at_once(make_and_leave, tmp_path / "a" / "b" / "now", 4) == [0] * 4
    assert not list(tmp_path.rglob("now*"))


def test_a_folder_that_stayed_empty_is_removed_with_those_above(tmp_path):
    with new_folder(tmp_path / "runs" / "x") as folder:
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []
    with own_folder(tmp_path / "deep" / "er"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_or_was_filled_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    with own_folder(tmp_path / "mine"):
        pass
    with own_folder(tmp_path / "full" / "er") as folder:
        (folder / "a").write_text("b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "mine"]


def test_a_name_that_is_taken_by_a_file_is_passed_by(tmp_path):
    (tmp_path / "x").write_text("a file")
    with new_folder(tmp_path / "x") as folder:
        assert folder.name == "x-2"
    assert (tmp_path / "x").read_text() == "a file"


def test_a_second_process_is_refused_and_a_killed_one_holds_nothing(tmp_path):
    path = tmp_path / "run"
    held, leave = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=hold, args=(path, held, leave))
    process.start()
    assert held.wait(60)
    words = r"another process is writing .*run; choose another --out"
    with pytest.raises(InputError, match=words), own_folder(path):
        pass
    assert path.is_dir()
    process.kill()
    process.join(60)
    with own_folder(path) as folder:
        (folder / "a").write_text("b")
    assert [entry.name for entry in path.iterdir()] == ["a"], "a lock was left behind"


@pytest.mark.parametrize("place", ["file", "file/below", "file/far/below"])
def test_a_file_in_the_way_is_named(tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot write .*file"), own_folder(tmp_path / place):
        pass
    if place != "file":
        with pytest.raises(InputError, match="cannot write"), new_folder(tmp_path / place):
            pass


def test_a_disk_without_room_is_found_before_the_work(tmp_path, monkeypatch):
    class Full:
        def __init__(self, **_: object) -> None:
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("runtime.files.output_folder.tempfile.TemporaryFile", Full)
    for place in (own_folder(tmp_path / "a"), new_folder(tmp_path / "b")):
        with pytest.raises(EquipmentError, match="No space left on device"), place:
            pass
    with own_folder(tmp_path / "stream", room=0) as folder:
        assert folder.is_dir()  # a stream judges on, whatever the disk is like
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_no_reason_to_refuse(tmp_path, monkeypatch):
    def none(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    with own_folder(tmp_path / "a") as folder, own_file(tmp_path / "b", replace=True):
        assert folder.is_dir()


def test_a_file_is_replaced_only_where_that_was_said(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("old")
    place = own_file(path, replace=False, hint="say so")
    with pytest.raises(InputError, match="already exists; say so"), place:
        pass
    with own_file(path, replace=True):
        pass
    assert path.read_text() == "old"


def test_the_place_of_a_new_file_is_held_and_given_back(tmp_path):
    path = tmp_path / "deep" / "groups.csv"
    with own_file(path, replace=False):
        assert path.exists()
        second = own_file(path, replace=True)
        with pytest.raises(InputError, match="another process is writing"), second:
            pass
    assert list(tmp_path.iterdir()) == []
    path.parent.mkdir()
    path.touch()  # as a process that was killed leaves it
    with own_file(path, replace=False):
        other = path.with_name("temporary")
        other.write_text("new")
        other.replace(path)
    assert path.read_text() == "new"


def test_what_is_no_file_is_never_replaced(tmp_path):
    for place in (tmp_path, Path(os.devnull)):
        with pytest.raises(InputError, match="is not a file"), own_file(place, replace=True):
            pass
