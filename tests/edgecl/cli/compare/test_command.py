"""`edgecl compare`: what it prints and returns."""

from __future__ import annotations

import json

import pytest

from edgecl.cli.shell import run as edgecl
from tests.runtime.benchmark.comparison.drawn_reports import (
    NEW,
    OLD,
    machine,
    report,
    run,
    side,
    times,
    write,
)


@pytest.fixture
def reports(tmp_path):
    """OLD in a folder, NEW with a side that is 15 % slower as a file."""
    folder = tmp_path / "before"
    folder.mkdir()
    write(folder / "latency.json", run(1))
    return [str(folder), str(write(tmp_path / "after.json", run(2, slower=0.15, day=2)))]


def test_the_table_names_each_side_its_ratio_and_what_decides(reports, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    assert edgecl(["compare", *reports]) == 0
    printed = capfd.readouterr().out
    rows = [line for line in printed.splitlines() if "int8 onnxruntime " in line]
    assert NEW in rows[1]
    assert "slower" in rows[1]
    assert OLD in rows[0]
    assert "no difference shown (±" in rows[0]
    assert f"{NEW}: measured against {OLD}, which is unchanged" in " ".join(printed.split())
    assert "The median of the total decides about a side" in printed
    assert "infer p50" in printed
    assert "no difference shown" not in printed.split("infer p50")[1]
    assert edgecl(["compare", *reports, "--steps"]) == 0
    assert "infer p99" in capfd.readouterr().out


@pytest.mark.parametrize(("limit", "code"), [("5%", 1), ("10 %", 1), ("15%", 0), ("40.5%", 0)])
def test_a_limit_decides_the_exit_code(reports, capfd, limit, code):
    assert edgecl(["compare", *reports, "--fail-if-slower", limit]) == code
    captured = capfd.readouterr()
    assert ("[slower]" in captured.err) == bool(code)
    if limit == "15%":
        assert "1 kept, 1 undecided" in captured.out or "2 undecided" in captured.out
        assert f"undecided: {NEW}: the limit lies within its interval" in captured.out


def test_an_undecided_limit_fails_where_it_is_strict(reports, capfd):
    assert edgecl(["compare", *reports, "--fail-if-slower", "15%", "--strict"]) == 1
    assert "not shown to be slower by 15.0% at most" in capfd.readouterr().err
    assert edgecl(["compare", *reports, "--fail-if-slower", "40%", "--strict"]) == 0
    assert edgecl(["compare", *reports, "--strict"]) == 2
    assert "--strict is about a limit" in capfd.readouterr().err


def test_json_is_one_document_and_the_limit_still_holds(reports, capfd):
    arguments = ["compare", *reports, "--fail-if-slower", "5%", "--json"]
    assert edgecl(arguments) == 1
    found = json.loads(capfd.readouterr().out)
    assert (found["schema"], found["kind"]) == (1, "comparison")
    assert [entry["headline"]["verdict"] for entry in found["sides"]][1] == "slower"
    assert found["sides"][1]["limit"] == "exceeded"
    assert found["fail_if_slower"] == 0.05


def test_markdown_has_a_table_that_no_name_can_break(tmp_path, capfd):
    values = [run(1), run(2, slower=0.15, day=2)]
    for value in values:
        value["sides"][1] |= {"label": "a|b*\n<c> int8 onnxruntime", "name": "a|b*\n<c>"}
    files = [str(write(tmp_path / f"{number}.json", one)) for number, one in enumerate(values)]
    assert edgecl(["compare", *files, "--markdown"]) == 0
    printed = capfd.readouterr().out
    head, rule, *rows = printed.splitlines()
    assert head.startswith("| median of the total | old ms | new ms | new/old |")
    assert rule == "| --- | ---: | ---: | ---: | ---: | --- |"
    row = next(line for line in rows if "a\\|b\\* \\<c\\> int8" in line)
    assert row.replace("\\|", "").count("|") == 7


def test_one_report_compares_its_own_sides(reports, capfd):
    assert edgecl(["compare", reports[1], "--json"]) == 0
    (found,) = json.loads(capfd.readouterr().out)["sides"]
    assert (found["old"], found["new"], found["headline"]["verdict"]) == (OLD, NEW, "slower")
    assert edgecl(["compare", reports[1], "--sides", NEW, OLD, "--json"]) == 0
    (found,) = json.loads(capfd.readouterr().out)["sides"]
    assert (found["old"], found["new"], found["headline"]["verdict"]) == (NEW, OLD, "faster")
    assert edgecl(["compare", reports[1]]) == 0
    printed = capfd.readouterr().out
    assert "old and new took turns in one run" in printed
    assert f"{NEW} (against {OLD})" in " ".join(printed.split())


def test_of_two_bundles_each_side_is_compared_with_its_like(tmp_path, capfd):
    """Another engine or precision is no change of the bundle, and fails no limit."""
    speed = machine(1)
    made = {"int8 onnxruntime": 2.0, "fp32 onnxruntime": 8.0, "int8 openvino": 4.0}
    sides = [
        side(f"{name} {kind}", times(speed, number, ms=ms))
        for name in ("old", "new")
        for number, (kind, ms) in enumerate(made.items(), start=1)
    ]
    sides.append(side("new fp16 onnxruntime", times(speed, 9)))
    path = str(write(tmp_path / "latency.json", report(sides)))
    assert edgecl(["compare", path, "--fail-if-slower", "5%", "--strict", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["sides"]
    pairs = [(entry["old"], entry["new"]) for entry in found]
    assert pairs == [(f"old {kind}", f"new {kind}") for kind in made]
    assert {entry["limit"] for entry in found} == {"kept"}
    alone = str(write(tmp_path / "one.json", report(sides[:3])))
    assert edgecl(["compare", alone, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["sides"]
    assert {entry["old"] for entry in found} == {"old int8 onnxruntime"}


def test_a_limit_on_reports_of_two_machines_is_refused_after_the_table(tmp_path, capfd):
    other = run(2, slower=0.15)
    other["environment"]["cpu"]["model"] = "Other CPU"
    files = [str(write(tmp_path / "1.json", run(1))), str(write(tmp_path / "2.json", other))]
    assert edgecl(["compare", *files]) == 0
    warning = "SPOILS THE COMPARISON: the processor: Drawn CPU in OLD"
    assert capfd.readouterr().out.startswith(warning)
    assert edgecl(["compare", *files, "--markdown"]) == 0
    assert capfd.readouterr().out.startswith(f"**{warning}")
    assert edgecl(["compare", *files, "--fail-if-slower", "5%"]) == 2
    captured = capfd.readouterr()
    assert "--fail-if-slower cannot be decided: the processor" in captured.err
    assert NEW in captured.out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is not JSON"),
        ('{"schema": 1, "kind"', "it is not JSON"),
        ('{"schema": 99}', "schema 99"),
        ('{"schema": 1}', "lacks the field"),
        ("[1, 2]", "not a JSON object"),
    ],
)
def test_a_file_that_is_no_report_ends_in_one_line(reports, tmp_path, capfd, text, problem):
    path = tmp_path / "cut.json"
    path.write_text(text)
    for arguments in ([str(path), reports[1]], [reports[0], str(path)]):
        assert edgecl(["compare", *arguments]) == 2
        error = capfd.readouterr().err
        assert problem in error
        assert "cut.json" in error
        assert error.count("\n") == 1


def test_what_is_not_there_is_named(reports, tmp_path, capfd):
    (tmp_path / "empty").mkdir()
    for path, problem in ((tmp_path / "none", "none"), (tmp_path / "empty", "no latency.json")):
        assert edgecl(["compare", str(path), reports[1]]) == 2
        error = capfd.readouterr().err
        assert problem in error
        assert error.count("\n") == 1


@pytest.mark.parametrize("limit", ["5", "0.05", "-5%", "nan%", "much", ""])
def test_a_limit_that_is_no_percentage_is_refused(reports, capfd, limit):
    assert edgecl(["compare", *reports, f"--fail-if-slower={limit}"]) == 2
    assert "is not a percentage; write it as in 5%" in capfd.readouterr().err


def test_two_ways_to_print_are_refused(reports, capfd):
    assert edgecl(["compare", *reports, "--json", "--markdown"]) == 2
    assert "--markdown" in capfd.readouterr().err


def test_a_single_side_has_nothing_to_compare_with(tmp_path, capfd):
    path = write(tmp_path / "one.json", report([side(OLD, times(machine(1), 1))]))
    assert edgecl(["compare", str(path)]) == 2
    assert "nothing to compare it with" in capfd.readouterr().err
