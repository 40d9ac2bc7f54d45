"""What is sent to the review page: decisions of several reviewers, and what no browser sends."""

from __future__ import annotations

import json
import signal
import socket
import threading

import pytest

pytest.importorskip("starlette", reason="needs pip install 'edgecl[serve]'")
pytest.importorskip("uvicorn", reason="needs pip install 'edgecl[serve]'")

from edgecl.review.decisions.journal import JOURNAL, read_journal
from runtime.serving.guard import MOST_BODY, SAFE_HEADERS
from tests.edgecl.command import start
from tests.edgecl.review.desks import TOKEN, collect, decision, digests, reviewed


def test_a_decision_is_on_the_disk_before_it_is_acknowledged(tmp_path):
    folder = collect(tmp_path / "kept")
    first, second, *_ = digests(folder)
    with reviewed(folder) as desk:
        status, body = desk.decide(decision(first))
        assert status == 200
        assert json.loads(body)["changed"] == {first: {"Anna": "scratch"}}
        assert read_journal(folder).of(first) == {"Anna": "scratch"}
        assert desk.decide(decision(second, ""))[0] == 200
        shown = {image["id"]: image for image in desk.state()["images"]}
        assert shown[first]["decisions"] == {"Anna": "scratch"}
        assert shown[second]["decisions"] == {"Anna": None}
        assert shown[first]["label"] == "scratch"
        assert shown[first]["status"] == "reject"


def test_several_reviewers_at_once_lose_nothing_and_see_each_other(tmp_path):
    folder = collect(tmp_path / "kept", 6)
    images = digests(folder)
    with reviewed(folder) as desk:
        statuses: list[int] = []

        def review(name: str, label: str) -> None:
            for number, image in enumerate(images):
                sent = decision(image, label, id=f"{name}-{number:06d}", reviewer=name)
                statuses.append(desk.decide(sent)[0])

        threads = [
            threading.Thread(target=review, args=(name, label))
            for name, label in (("Anna", "dent"), ("Benno", "scratch"), ("Clara", "dent"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 18
        news = json.loads(desk.get(f"/review/news?since=0&reviewer=Benno&at={images[0]}")[2])
        assert news["version"] == 18
        assert news["changed"][images[5]] == {"Anna": "dent", "Benno": "scratch", "Clara": "dent"}
        others = json.loads(desk.get("/review/news?since=18&reviewer=Anna&at=")[2])
        assert others["others"] == {"Benno": images[0]}
        assert others["changed"] == {}
    standing = read_journal(folder)
    assert all(len(standing.of(image)) == 3 for image in images)


def test_a_decision_that_is_sent_twice_is_kept_once(tmp_path):
    folder = collect(tmp_path / "kept")
    sent = decision(digests(folder)[0])
    with reviewed(folder) as desk:
        assert desk.decide(sent)[0] == desk.decide(sent)[0] == 200
    assert (folder / JOURNAL).read_bytes().count(b"\n") == 1


def test_a_server_that_is_killed_loses_no_acknowledged_decision(tmp_path):
    folder = collect(tmp_path / "kept")
    images = digests(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "log").open("w+") as log:
        process = start("review", folder, "--serve", f"127.0.0.1:{port}", stderr=log)
        try:
            from tests.edgecl.review.desks import ReviewedDesk
            from tests.waiting import wait_until

            wait_until(lambda: "review page:" in (tmp_path / "log").read_text(), "the page")
            desk = ReviewedDesk(port, None, folder)  # type: ignore[arg-type]
            for image in images[:3]:
                assert desk.decide(decision(image, "dent"))[0] == 200
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    standing = read_journal(folder)
    assert [standing.of(image) for image in images] == [{"Anna": "dent"}] * 3 + [{}]
    with reviewed(folder) as again:
        decided = [image["decisions"] for image in again.state()["images"]]
    assert decided == [{"Anna": "dent"}] * 3 + [{}]


@pytest.mark.parametrize(
    "path",
    [
        "/review/image/../../../etc/passwd.jpg",
        "/review/image/..%2f..%2freview.jsonl.jpg",
        "/review/whole/%2e%2e.jpg",
        f"/review/image/{'0' * 64}.jpg",
        "/review/image/.jpg",
        "/review/secret/x.jpg",
        "/review/files/../part.py",
        "/review/files/review.html",
        "/review/files/%2e%2e%2fpart.py",
        "/review/review.jsonl",
        "/review/near/zzz",
        f"/review/near/{'0' * 64}",
    ],
)
def test_no_path_leads_to_the_disk(tmp_path, path):
    folder = collect(tmp_path / "kept", 1)
    with reviewed(folder) as desk:
        assert desk.get(path)[0] == 404


def test_images_are_served_and_what_is_gone_is_not_there(tmp_path):
    folder = collect(tmp_path / "kept", 2)
    first, second = digests(folder)
    with reviewed(folder) as desk:
        for kind in ("image", "thumbnail", "whole"):
            status, headers, body = desk.get(f"/review/{kind}/{first}.jpg")
            assert (status, headers["content-type"]) == (200, "image/jpeg")
            assert body.startswith(b"\xff\xd8")
            assert {name: headers[name] for name in SAFE_HEADERS} == SAFE_HEADERS
        for path in folder.rglob("*.png"):
            path.unlink()
        assert desk.get(f"/review/image/{second}.jpg")[0] == 404
        assert desk.decide(decision(second))[0] == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"label": "../../etc"}, 422),
        ({"label": ""}, 422),
        ({"label": "train"}, 422),
        ({"label": "x" * 100}, 422),
        ({"reviewer": ""}, 422),
        ({"reviewer": "x" * 100}, 422),
        ({"reviewer": "a\x00b"}, 422),
        ({"image": "0" * 64}, 422),
        ({"image": "../x"}, 422),
        ({"id": "x"}, 422),
        ({"id": "a b c d e f g h"}, 422),
        ({"choice": "delete"}, 422),
        ({"choice": 7}, 400),
        ({"more": "x"}, 400),
    ],
)
def test_what_is_no_decision_is_refused_and_not_kept(tmp_path, change, status):
    folder = collect(tmp_path / "kept", 1)
    with reviewed(folder) as desk:
        assert desk.decide({**decision(digests(folder)[0]), **change})[0] == status
    assert (folder / JOURNAL).read_bytes() == b""


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff\xff", b"null", b"[" * 4000])
def test_what_is_no_json_object_is_refused(tmp_path, body):
    folder = collect(tmp_path / "kept", 1)
    with reviewed(folder) as desk:
        assert desk.decide(body)[0] == 400


def test_what_is_too_large_or_from_another_site_is_refused(tmp_path):
    folder = collect(tmp_path / "kept", 1)
    sent = decision(digests(folder)[0])
    with reviewed(folder) as desk:
        assert desk.decide(b"x" * (MOST_BODY + 1))[0] == 413
        assert desk.decide(sent, Origin="http://evil.example")[0] == 403
        assert desk.decide(sent, Host="evil.example")[0] == 421
        assert desk.get("/review/decide")[0] == 405
        assert desk.get("/review/export")[0] == 405
        assert desk.get("/review/news?since=-1")[0] == 400
    assert (folder / JOURNAL).read_bytes() == b""


def test_without_the_token_nothing_is_shown_or_kept(tmp_path):
    folder = collect(tmp_path / "kept", 1)
    image = digests(folder)[0]
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    with reviewed(folder, token=token) as desk:
        for path in ("/review/", "/review/state", f"/review/image/{image}.jpg", "/review/news"):
            assert desk.get(path)[0] == 401
        for wrong in ("", "wrong", TOKEN[:-1], f"{TOKEN}x"):
            assert desk.decide(decision(image), Authorization=f"Bearer {wrong}")[0] == 401
        assert desk.get("/review/export", "POST")[0] == 401
        assert (folder / JOURNAL).read_bytes() == b""
        assert desk.decide(decision(image), Authorization=f"Bearer {TOKEN}")[0] == 200


def test_the_button_exports_once_at_a_time_and_says_why_it_cannot(tmp_path):
    folder = collect(tmp_path / "kept", 1)
    going, done = threading.Event(), threading.Event()

    def export() -> str:
        going.set()
        done.wait(30)
        return "4 images"

    with reviewed(folder, export=export) as desk:
        answers: list[tuple[int, bytes]] = []

        def press() -> None:
            status, _, body = desk.get("/review/export", "POST")
            answers.append((status, body))

        first = threading.Thread(target=press)
        first.start()
        assert going.wait(30)
        assert desk.get("/review/export", "POST")[0] == 409
        done.set()
        first.join()
        assert answers == [(200, b'{"text":"4 images"}')]
