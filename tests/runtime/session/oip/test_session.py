"""Sessions on a server: what they answer, and what each failure of the server comes to."""

from __future__ import annotations

import ssl
import threading
import time
from typing import Any

import numpy as np
import pytest

from runtime.errors import FrameError, InputError, SessionAwayError, SessionLostError
from runtime.session import Session, open_session
from runtime.session.deadline import AnswersBy
from runtime.session.oip.opening import ServerChoice
from tests.runtime.session.oip.server_double import MODEL, HttpDouble, brightness, metadata
from tests.runtime.session.oip.server_sessions import opened
from tests.runtime.session.test_golden import images
from tests.runtime.stream.remote.certificates import make_certificates
from tests.waiting import wait_until


@pytest.fixture
def server():
    with HttpDouble() as double:
        yield double


def infer_in_time(session: Session, milliseconds: float = 50.0) -> Any:
    with AnswersBy(time.monotonic_ns() + round(milliseconds * 1e6)):
        return session.infer(images())


@pytest.mark.parametrize("binary", [True, False])
def test_a_server_answers_as_the_model_does(bundle, binary):
    with HttpDouble(binary=binary) as server, opened(bundle, server.url) as session:
        outputs = session.infer(images())
        np.testing.assert_allclose(outputs.probabilities, brightness(images())["probabilities"])
        assert outputs.embedding.shape == (3, 128)
        assert outputs.embedding.dtype == np.float32
        assert session.describe() == f"fp32 on oip double 2, {MODEL} at {server.url}"
        sent = {headers.get("Content-Type") for path, headers in server.asked if "infer" in path}
        assert sent == {"application/octet-stream" if binary else "application/json"}


def test_no_thread_is_left(bundle, server):
    before = set(threading.enumerate())
    session = opened(bundle, server.url)
    wait_until(lambda: any(thread.name == "server" for thread in threading.enumerate()))
    session.close()
    assert not [t for t in set(threading.enumerate()) - before if t.name == "server"]


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("hang", "no answer in time"),
        ("drip", "no answer in time"),
        ("error", r"HTTP 500 to /v2/models/tiny_fp32/infer: in ensemble, out of memory"),
        ("shape", "its probabilities are 3×2 for 3 images"),
        ("short", "its answer is not that of the protocol"),
        ("null", "its answer is not that of the protocol"),
        ("missing", "its answer has no output 'embedding'"),
        ("garbage", "its answer is not JSON"),
        ("object", "its answer is not a JSON object"),
        ("deep", "its answer is not JSON"),
        ("huge", "its answer is longer than 1 MiB"),
    ],
)
def test_a_wrong_answer_costs_its_frame_alone(bundle, server, mood, reason, monkeypatch):
    monkeypatch.setattr("runtime.session.oip.http.LONGEST_ANSWER", 2**20)
    with opened(bundle, server.url) as session:
        server.mood = mood
        with pytest.raises(FrameError, match=reason) as caught:
            infer_in_time(session, 50 if mood in ("hang", "drip") else 10_000)
        assert not isinstance(caught.value, SessionAwayError)
        server.mood = "well"
        assert infer_in_time(session, 10_000).probabilities.argmax(axis=1).tolist() == [0, 1, 2]


def test_nan_is_left_to_the_rules(bundle, server):
    with opened(bundle, server.url) as session:
        server.mood = "nan"
        assert np.isnan(session.infer(images()).probabilities).all()


@pytest.mark.parametrize("mood", ["drop", "cut"])
def test_a_broken_connection_has_the_server_checked_anew(bundle, server, mood):
    lines: list[str] = []
    with opened(bundle, server.url, lines) as session:
        server.mood = mood
        with pytest.raises(SessionAwayError, match="it closed the connection"):
            infer_in_time(session, 10_000)
        server.mood, before = "well", server.inferred
        wait_until(lambda: len(lines) == 2)
        assert server.inferred >= before + 4  # black, and the golden images
        assert session.infer(images()).probabilities.argmax(axis=1).tolist() == [0, 1, 2]
    assert lines[0].startswith(f"the server {server.url} was lost: it closed the connection")
    assert lines[1].startswith(f"the server {server.url} is back after ")


def answered(session) -> bool:
    """Whether a connection was open; the next one is opened beside the frames."""
    try:
        return len(session.infer(images()).probabilities) == 3
    except SessionAwayError:
        return False


def test_connections_that_the_server_closes_are_replaced(bundle, server):
    lines: list[str] = []
    with opened(bundle, server.url, lines) as session:
        for _ in range(3):
            server.mood = "close once"
            assert answered(session)
            wait_until(lambda: answered(session))
    assert not lines


def test_a_server_that_closes_each_connection_is_refused(bundle, server):
    server.mood = "close"
    with pytest.raises(InputError, match="it keeps no connection open"):
        opened(bundle, server.url)


def test_a_server_that_comes_back_goes_on(bundle):
    lines: list[str] = []
    server = HttpDouble()
    with opened(bundle, server.url, lines) as session:
        server.stop()
        with pytest.raises(SessionAwayError):
            infer_in_time(session)
        with pytest.raises(SessionAwayError, match="is away: ") as caught:
            infer_in_time(session)
        assert server.url in str(caught.value)
        with HttpDouble(server.port):
            wait_until(lambda: len(lines) == 2)
            assert session.infer(images()).probabilities.argmax(axis=1).tolist() == [0, 1, 2]


def test_another_model_that_comes_back_is_not_asked(bundle):
    lines: list[str] = []
    server = HttpDouble()
    with opened(bundle, server.url, lines) as session:
        server.stop()
        with pytest.raises(SessionAwayError):
            infer_in_time(session)
        with HttpDouble(server.port) as other:
            other.mood = "nan"
            wait_until(lambda: any("is not back" in line for line in lines))
            with pytest.raises(SessionAwayError, match="different results from the exported model"):
                infer_in_time(session)


def test_another_version_is_held_against_the_golden_images(bundle, server):
    lines: list[str] = []
    with opened(bundle, server.url, lines) as session:
        server.version = "2"
        with pytest.raises(FrameError, match="version 2 of the model answers, not 1"):
            session.infer(images())
        wait_until(lambda: len(lines) == 2)
        session.infer(images())


def test_a_server_is_given_up(bundle):
    server = HttpDouble()
    with opened(bundle, server.url, give_up_after_s=0.05) as session:
        server.stop()
        with pytest.raises(SessionAwayError):
            infer_in_time(session)

        def lost() -> bool:
            try:
                infer_in_time(session)
            except SessionAwayError:
                return False
            except SessionLostError as error:
                return "is not back after 0.05 s" in error.problem
            return False

        wait_until(lost)


def test_a_server_that_hangs_at_the_end_holds_nothing_up(bundle, server):
    session = opened(bundle, server.url)
    server.mood = "hang"

    def ask() -> None:
        with pytest.raises(FrameError):
            infer_in_time(session, 1e6)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: server.inferred > 4)
    session.close()
    server.released.set()
    asking.join(10)
    assert not asking.is_alive()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"inputs": []}, r"has no input 'image' \(it has none\)"),
        (
            {"inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 32, 48]}]},
            "input 'image' is FP32 -1×1×32×48, but the bundle's is UINT8 -1×1×32×48",
        ),
        (
            {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 3, 32, 48]}]},
            "input 'image' is UINT8 -1×3×32×48",
        ),
        (
            {"outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 4]}]},
            "output 'probabilities' is FP32 -1×4, but the bundle's is FP32 -1×3",
        ),
        (
            {"outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}]},
            r"has no output 'embedding' \(it has probabilities\)",
        ),
        (
            {"inputs": [*metadata()["inputs"], {"name": "mask", "datatype": "BOOL", "shape": [1]}]},
            "needs further inputs: mask",
        ),
        ({"inputs": 3}, "its model metadata is not that of the protocol"),
        ({"inputs": [{"name": "image", "datatype": "UINT8", "shape": "NCHW"}]}, "not that of the"),
    ],
)
def test_another_model_is_refused_at_the_opening(bundle, server, changes, problem):
    server.facts = metadata(**changes)
    with pytest.raises(InputError, match=problem):
        opened(bundle, server.url)


@pytest.mark.parametrize("mood", ["nan", "shape", "error", "garbage", "drop"])
def test_a_server_that_cannot_judge_is_refused_at_the_opening(bundle, server, mood):
    server.mood = mood
    with pytest.raises(InputError, match=server.url):
        opened(bundle, server.url)


def test_what_is_not_there_is_named(bundle, server):
    with pytest.raises(InputError, match=r"does not serve nothing: HTTP 404 .*unknown model"):
        opened(bundle, server.url, model="nothing")
    with pytest.raises(InputError, match="has no version 7, but 1"):
        opened(bundle, server.url, model=f"{MODEL}/7")
    server.stop()
    with pytest.raises(InputError, match="does not answer: Connection refused") as caught:
        opened(bundle, server.url)
    assert caught.value.code == "server-unavailable"


def test_a_batch_of_fixed_size_is_kept_to(bundle, server):
    server.facts = metadata(
        inputs=[{"name": "image", "datatype": "UINT8", "shape": [1, 1, 32, 48]}]
    )
    with opened(bundle, server.url) as session:
        assert session.batches == (1, 1)


def test_the_header_goes_with_every_request_and_is_never_shown(bundle, server, tmp_path):
    (tmp_path / "token").write_text("X-Key: s3cret\n")
    lines: list[str] = []
    with opened(bundle, server.url, lines, token_file=tmp_path / "token") as session:
        session.infer(images())
        assert "s3cret" not in session.describe()
    assert {headers["X-Key"] for _, headers in server.asked} == {"s3cret"}
    (line,) = lines
    assert "is not encrypted" in line


def test_tls_is_verified(bundle, tmp_path):
    made = make_certificates(tmp_path / "tls")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate, made.key)
    with HttpDouble(tls=tls) as server:
        with opened(bundle, server.url, ca=made.authority) as session:
            session.infer(images())
        with pytest.raises(InputError, match="its certificate is not trusted"):
            opened(bundle, server.url)
        plain = server.url.replace("https", "http")
        with pytest.raises(InputError, match=plain):
            opened(bundle, plain)


def test_what_oip_needs(bundle):
    with pytest.raises(InputError, match="needs the address of a server"):
        open_session(bundle, engine="oip")
    with pytest.raises(InputError, match="needs a bundle"):
        open_session(
            bundle / "model.fp32.onnx", engine="oip", server=ServerChoice("http://127.0.0.1:1")
        )
