"""The review page in a real browser: keys, undo, reviewers beside each other, and lost servers."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("starlette", reason="needs pip install 'edgecl[serve]'")
pytest.importorskip("uvicorn", reason="needs pip install 'edgecl[serve]'")

from edgecl.review.decisions.journal import read_journal
from edgecl.review.desk import lay_out
from tests.edgecl.conftest import fill
from tests.edgecl.review.desks import ReviewedDesk, collect, decision, digests, reviewed, silent
from tests.runtime.serving.browser import Browser, chromium

CAPTION = "document.querySelector('#caption b')?.textContent"
SAVED = "document.getElementById('saved').textContent"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
COUNT = "document.querySelector('#counts b')?.textContent"


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    chromium()


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser.value(f"dispatchEvent(new KeyboardEvent('keydown', {{key: {json.dumps(key)}}})); 1")


def opened(browser: Browser, desk: ReviewedDesk, name: str = "Anna") -> None:
    browser.open(f"http://localhost:{desk.port}/")
    browser.wait("document.getElementById('desk').hidden === false")
    browser.wait("document.getElementById('name-dialog').open")
    browser.value(f"document.getElementById('name').value = {json.dumps(name)}; 1")
    browser.value("document.getElementById('name-form').requestSubmit(); 1")
    browser.wait(CAPTION)


def at(browser: Browser, number: int) -> None:
    browser.wait(CAPTION, lambda name: name == f"20261127T{number:09d}Z-abcdef12-{number:08d}.png")


def saved(browser: Browser) -> None:
    browser.wait(SAVED, lambda words: words == "✓ all saved")


def test_keys_decide_and_move_on_and_undo_brings_back(tmp_path):
    folder = collect(tmp_path / "kept")
    images = digests(folder)
    with reviewed(folder) as desk, Browser() as browser:
        opened(browser, desk)
        at(browser, 0)
        press(browser, "1")
        at(browser, 1)
        press(browser, "x")
        at(browser, 2)
        press(browser, "s")
        at(browser, 3)
        saved(browser)
        standing = read_journal(folder)
        decided = [standing.of(image) for image in images]
        assert decided == [{"Anna": "scratch"}, {"Anna": None}, {}, {}]
        press(browser, "u")  # the skip
        at(browser, 2)
        press(browser, "u")  # don't know
        at(browser, 1)
        press(browser, "Backspace")
        at(browser, 0)
        saved(browser)
        assert read_journal(folder).images == ()
        press(browser, "2", "2", "2", "2")
        browser.wait("document.getElementById('empty').hidden === false")
        saved(browser)
        assert browser.value("document.getElementById('empty').textContent").startswith(
            "Everything here is decided"
        )
        assert all(read_journal(folder).of(image) == {"Anna": "dent"} for image in images)
        assert browser.complaints == []


def test_a_page_that_is_loaded_again_still_knows_what_to_undo(tmp_path):
    folder = collect(tmp_path / "kept")
    with reviewed(folder) as desk, Browser() as browser:
        opened(browser, desk)
        press(browser, "1")
        at(browser, 1)
        saved(browser)
        browser.open(f"http://localhost:{desk.port}/review/")
        at(browser, 1)
        assert not browser.value("document.getElementById('name-dialog').open")
        press(browser, "u")
        at(browser, 0)
        saved(browser)
        assert read_journal(folder).images == ()


def test_a_key_that_is_held_down_decides_once(tmp_path):
    folder = collect(tmp_path / "kept")
    with reviewed(folder) as desk, Browser() as browser:
        opened(browser, desk)
        held = "dispatchEvent(new KeyboardEvent('keydown', {key: '1', repeat: true})); 1"
        press(browser, "1")
        for _ in range(3):
            browser.value(held)
        at(browser, 1)


def test_a_new_label_is_typed_and_has_a_key_from_then_on(tmp_path):
    folder = collect(tmp_path / "kept")
    with reviewed(folder) as desk, Browser() as browser:
        opened(browser, desk)
        press(browser, "n")
        browser.value("document.getElementById('new-name').value = 'edge-crack'; 1")
        browser.value("document.getElementById('new-label').requestSubmit(); 1")
        at(browser, 1)
        saved(browser)
        press(browser, "3")
        at(browser, 2)
        saved(browser)
        standing = read_journal(folder)
        assert [standing.of(image) for image in digests(folder)[:2]] == [
            {"Anna": "edge-crack"},
            {"Anna": "edge-crack"},
        ]
        press(browser, "n")
        browser.value("document.getElementById('new-name').value = '../evil'; 1")
        browser.value("document.getElementById('new-label').requestSubmit(); 1")
        browser.wait("document.getElementById('notice').textContent", lambda t: "not kept" in t)
        assert len(read_journal(folder).images) == 2


def test_disagreements_are_shown_after_one_has_decided(tmp_path):
    folder = collect(tmp_path / "kept")
    first = digests(folder)[0]
    with reviewed(folder) as desk, Browser() as browser:
        opened(browser, desk)
        at(browser, 0)
        assert desk.decide(decision(first, "dent", reviewer="Benno", number=1))[0] == 200
        others = "document.getElementById('others').textContent"
        browser.wait(others, lambda words: "1 other has decided" in words)
        at(browser, 0)  # it does not change under the reviewer's finger
        assert "dent" not in browser.value(others)
        press(browser, "1")
        at(browser, 1)
        browser.value("document.getElementById('view').value = 'differ'; 1")
        browser.value("document.getElementById('view').onchange(); 1")
        at(browser, 0)
        browser.wait(others, lambda words: "Reviewers disagree" in words and "Benno: dent" in words)
        assert browser.complaints == []


def test_two_reviewers_are_given_different_images(tmp_path):
    folder = collect(tmp_path / "kept")
    with reviewed(folder) as desk, Browser() as one, Browser() as other:
        opened(one, desk)
        at(one, 0)
        look = f"/review/news?since=0&reviewer=Anna&at={digests(folder)[1]}"
        assert desk.get(look)[0] == 200
        opened(other, desk, "Benno")
        other.wait("Object.keys(others).length", lambda count: count == 1)
        assert desk.get(look)[0] == 200
        other.wait("others.Anna", bool)
        press(other, "1")
        other.wait(CAPTION, lambda name: not name.endswith("00000000.png"))
        saved(other)


def test_decisions_wait_for_a_server_that_is_away(tmp_path):
    folder = collect(tmp_path / "kept")
    images = digests(folder)
    with Browser() as browser:
        with reviewed(folder) as desk:
            opened(browser, desk)
            port = desk.port
        press(browser, "1")
        at(browser, 1)
        press(browser, "2")
        browser.wait(SAVED, lambda words: words == "2 not saved yet")
        assert read_journal(folder).images == ()
        with reviewed(folder, port=port):
            saved(browser)
            standing = read_journal(folder)
            assert standing.of(images[0]) == {"Anna": "scratch"}
            assert standing.of(images[1]) == {"Anna": "dent"}


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (320, 600)])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_reaches_beyond_the_side(tmp_path, width, height, dark):
    folder = collect(tmp_path / ("a-folder-with-a-name-that-is-longer-than-screens-" * 3), 2)
    labels = tuple(f"a-label-without-a-blank-that-is-long-{number}" for number in range(14))
    labelled = fill(tmp_path / "labelled", ("bars", "posts"), 2)
    desk = lay_out(folder, silent, labels=labels, labelled=labelled)
    with (
        reviewed(folder, desk=desk) as running,
        Browser(width=width, height=height, dark=dark) as browser,
    ):
        opened(browser, running, "A-name-of-forty-signs-without-any-blank-x")
        assert browser.value(OVERFLOW) == 0
        press(browser, "z", "c")
        browser.wait("document.getElementById('image').naturalWidth")
        assert browser.value(OVERFLOW) == 0
        assert browser.complaints == []


def test_names_are_text_and_nothing_of_them_runs(tmp_path):
    evil = "<img src=x onerror=document.title=1>"
    folder = collect(tmp_path / "kept", 2)
    first = digests(folder)[0]
    with reviewed(folder) as desk, Browser() as browser:
        assert desk.decide(decision(first, "a <b>bold<b> label", reviewer=evil))[0] == 422
        assert desk.decide(decision(first, "b&amp;b", reviewer=evil[:40]))[0] == 200
        opened(browser, desk)
        browser.value("document.getElementById('view').value = 'all'; 1")
        browser.value("document.getElementById('view').onchange(); 1")
        browser.wait("document.getElementById('others').textContent", lambda t: evil[:40] in t)
        assert browser.value("document.querySelectorAll('[onerror], b b').length") == 0
        assert browser.complaints == []
