"""The documentation fits the project: links, commands, code, and the generated page."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import check, cli_reference
from docs.markdown import anchor_of, read_page
from edgecl.encoders import ENCODERS

README_BYTES = 8192


def test_every_page_fits_the_project():
    pages = check.pages()
    names = {path.name for path in pages}
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "cli.md", "architecture.md"} <= names
    assert check.problems(pages) == []


def test_the_command_reference_is_up_to_date():
    written = cli_reference.PAGE.read_text(encoding="utf-8")
    assert written == cli_reference.reference(), "run: python -m docs.cli_reference"


def test_the_list_of_encoders_names_every_one():
    blocks = read_page(check.ROOT / "docs/train.md").blocks
    (listed,) = (block for block in blocks if block.code.startswith("$ edgecl encoders"))
    names = [line.split()[0] for line in listed.code.splitlines()[2:]]
    assert names == [name for name in ENCODERS if not ENCODERS.is_added(name)]


def test_the_readme_is_short_and_begins_with_the_two_commands():
    text = (check.ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.encode()) <= README_BYTES
    first = read_page(check.ROOT / "README.md").blocks[0]
    assert [words[:2] for _, words in check.commands_of(first)] == [
        ["make", "demo"],
        ["make", "test"],
    ]


def test_every_page_is_reached_from_the_readme():
    reached: set[Path] = set()
    waiting = [check.ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        waiting += [
            (page.parent / target.partition("#")[0]).resolve()
            for _, target in read_page(page).links
            if target.partition("#")[0].endswith(".md")
        ]
    assert reached == set(check.pages())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[x](no.md)", "the link no.md leads to no file"),
        ("![x](no.png)", "the link no.png leads to no file"),
        ("[![x](no.png)](page.md)", "the link no.png leads to no file"),
        ("[![x](page.md)](no.md)", "the link no.md leads to no file"),
        ("# Here\n\n[x](#there)", "has no heading for the link #there"),
        ("```bash\nedgecl fly\n```", "edgecl has no verb fly"),
        ("```bash\nedgecl run --camera demo --speed 9\n```", "No such option"),
        ("```bash\nedgecl train --encoder nonsense\n```", "is not one of"),
        ("```bash\nedgecl train | edgecl run\n```", "Missing option '--camera'"),
        ("```bash\nFOO=1 python -m edgecl encoders --nonsense\n```", "No such option"),
        ("```bash\n$ edgecl encoders \\\n    --nonsense\noutput\n```", "No such option"),
        ("```bash\nmake coffee\n```", "the Makefile has no coffee"),
        ("```bash\npython benchmarks/none.py\n```", "there is no benchmarks/none.py"),
        ("```python\ndef (:\n```", "Python does not compile"),
        ("```json\n{1: 2}\n```", "JSON does not parse"),
        ("```\nx\n```", "a block of no language"),
        ("Use `edgecl fly`.", "edgecl has no verb fly"),
        ("Use `edgecl run --speed 9`.", "edgecl run has no --speed"),
        ("Use `--speed`.", "no verb of edgecl has --speed"),
        ("See `runtime/none/`.", "there is no runtime/none/"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, text, problem):
    page = tmp_path / "page.md"
    page.write_text(text + "\n", encoding="utf-8")
    found = check.problems([page])
    assert len(found) == 1, found
    assert problem in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "# A `code` heading: with, marks!\n\n[x](#a-code-heading-with-marks)",
        "# Twice\n\n# Twice\n\n[x](#twice-1)",
        "[a link whose\ntext runs over a line](page.md)",
        "```bash\n$ edgecl encoders\nedgecl nonsense is output here\n```",
        "```bash\nedgecl export --fp16 --int8   # a comment --nonsense\n```",
        "```bash\ntorchrun --nproc-per-node 2 -m edgecl train --data images/\n```",
        "Inside code, `[x](no.md)` is no link.",
        '```json\n{"fits": true}\n```',
    ],
)
def test_what_fits_is_left_alone(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text + "\n", encoding="utf-8")
    assert check.problems([page]) == []


def test_a_problem_is_named_with_its_line(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("one\n\n```bash\nedgecl encoders\nedgecl fly\n```\n", encoding="utf-8")
    assert check.problems([page]) == [f"{page}:5: edgecl has no verb fly"]


def test_anchors_are_those_of_github():
    assert anchor_of("edgecl inspect --json") == "edgecl-inspect---json"
    assert anchor_of("All labels at 128×128") == "all-labels-at-128128"
    assert anchor_of("VALID and INVALID") == "valid-and-invalid"
