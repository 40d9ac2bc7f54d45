"""The live page in a real browser: it shows the line as it changes, and complains of nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runtime.serving.live.state import ShadowState
from runtime.stream.sinks.accounts import SinkAccount
from tests.runtime.serving.browser import Browser, chromium
from tests.runtime.serving.lines import TOKEN, FakeLine, ServedLine, camera_state, seen, served

WORD = "document.getElementById('verdict-word')?.textContent"
SHOWN = "document.getElementById('image')?.naturalWidth"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT_OFF = "(e => e.scrollWidth - e.clientWidth)(document.getElementById('verdict-word'))"
LONG = "a-very-long-name-without-any-blank-" * 4


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    chromium()


def address(line: ServedLine, path: str = "") -> str:
    return f"http://localhost:{line.port}/{path}"


def test_it_follows_the_line_to_its_end():
    line = FakeLine((camera_state(noticed=None, rejects=()),))
    with served(line) as running, Browser() as browser:
        browser.open(address(running))
        browser.wait(WORD, lambda word: word == "pass")
        browser.wait(SHOWN, lambda width: width == 60)
        assert browser.value("document.title") == "PASS · tiny.edgecl"
        assert browser.value("document.getElementById('yield')?.textContent") == "90.0\u00a0%"
        bad = seen(120, "reject", confidence=0.87)
        line.cameras = (camera_state(newest=bad, noticed=bad, rejects=(bad,), captured=121),)
        browser.wait(WORD, lambda word: word == "reject")
        assert browser.value("document.getElementById('verdict-label')?.textContent") == "scratch"
        assert browser.value("document.getElementById('image').alt") == "frame 120, reject, scratch"
        browser.wait("document.querySelectorAll('#rejects li').length", lambda n: n == 1)
        line.cameras = tuple(replace(camera, state="lost") for camera in line.cameras)
        browser.wait(WORD, lambda word: word == "camera lost")
        browser.wait("document.getElementById('alarm')?.textContent", lambda t: "is lost" in t)
        line.ended = True
        browser.wait(WORD, lambda word: word == "ended")
        assert browser.complaints == []


def test_the_recipe_that_judges_is_named_and_every_status_fits():
    shadow = ShadowState(model="new.edgecl", answered=90, disagreed=3, dropped=2, problem="")
    odd = seen(7, "unknown")
    state = camera_state(newest=odd, noticed=odd, recipe="8", bundle="nut.edgecl", shadow=shadow)
    line = FakeLine((state,))
    with served(line) as running, Browser() as browser:
        browser.open(address(running))
        browser.wait("document.title", lambda title: title == "UNKNOWN · nut.edgecl")
        assert browser.value("document.getElementById('recipe').textContent") == "Recipe 8"
        told = browser.value("document.getElementById('accounts').textContent")
        assert "shadow new.edgecl: 3 of 90 differ, 2 dropped" in told
        for width in (1280, 900, 390):
            browser.resize(width, 800)
            assert browser.value(CUT_OFF) <= 0, width


def test_what_did_not_pass_between_two_events_is_held():
    line = FakeLine((camera_state(noticed=None, rejects=()),))
    with served(line) as running, Browser() as browser:
        browser.open(address(running))
        browser.wait(WORD, lambda word: word == "pass")
        missed = seen(150, "reject")
        line.cameras = (camera_state(newest=seen(160), noticed=missed, rejects=(missed,)),)
        browser.wait(WORD, lambda word: word == "reject")
        browser.wait(WORD, lambda word: word == "pass")
        browser.value("document.querySelector('#rejects button').click()")
        browser.wait(WORD, lambda word: word == "reject")
        assert not browser.value("document.getElementById('back').hidden")
        more = browser.value("document.getElementById('verdict-more')?.textContent")
        assert more.startswith("chosen, not live")
        browser.value("document.getElementById('back').click()")
        browser.wait(WORD, lambda word: word == "pass")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (320, 600)])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_reaches_beyond_the_side(width, height, dark):
    """Long names, large numbers, every fault and several cameras at the same time."""
    late = seen(123_456_789, "fault", label=LONG, reason=LONG, size=None, answer="reject")
    cameras = tuple(
        camera_state(
            name,
            source=LONG,
            newest=late,
            captured=10**12,
            health={f"drifting-light-{number}": 10**7 for number in range(12)},
            health_notes=(LONG,),
            state="failed",
            problem=LONG,
        )
        for name in ("left", "right-with-a-name-of-31-letters", "top")
    )
    sinks = (SinkAccount(name=LONG, lost=10**9, waiting=10**9, problem=LONG),)
    line = FakeLine(cameras, sinks, title=f"{LONG}.edgecl")
    with served(line) as running, Browser(width=width, height=height, dark=dark) as browser:
        browser.open(address(running))
        browser.wait(WORD, lambda word: word == "failed")
        assert browser.value(OVERFLOW) == 0
        assert browser.complaints == []


def test_names_are_text_and_nothing_of_them_runs():
    evil = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    bad = seen(99, "reject", label=evil, reason=evil)
    camera = camera_state(evil, source=evil, newest=bad, noticed=bad, rejects=(bad,))
    line = FakeLine((camera, replace(camera, name="other")), title=evil)
    with served(line) as running, Browser() as browser:
        browser.open(address(running))
        browser.wait("document.getElementById('verdict-label')?.textContent", lambda t: t == evil)
        assert evil in browser.value("document.title")
        assert browser.value("document.querySelectorAll('main script, [onerror]').length") == 0
        assert browser.complaints == []


def test_the_token_is_asked_for_and_then_never_again():
    with served(token=TOKEN) as running, Browser() as browser:
        browser.open(address(running, "live/"))
        browser.wait("document.getElementById('token') !== null")
        browser.value(f"document.getElementById('token').value = '{TOKEN}'")
        browser.value("document.querySelector('form').submit()")
        browser.wait(f"{WORD} === 'pass'")
        assert TOKEN not in browser.value("document.documentElement.outerHTML")
        assert browser.value("document.cookie") == ""
        browser.open(address(running))
        browser.wait(f"{WORD} === 'pass'")
        assert browser.complaints == []


def test_a_page_whose_line_is_silent_does_not_go_on_showing_pass():
    line = FakeLine()
    with served(line) as running, Browser() as browser:
        browser.open(address(running))
        browser.wait(WORD, lambda word: word == "pass")
        line.speaks.clear()
        browser.wait(WORD, lambda word: word == "no news")
        line.speaks.set()
        browser.wait(WORD, lambda word: word in ("pass", "reject"))
