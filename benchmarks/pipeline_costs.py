"""Processor time of a frame in the camera loop, thread by thread, and the speed that it allows.

Other load on a machine changes processor time little, and frames per second a lot. One thread
reads and decodes, another one judges: the slower of the two bounds the loop with one worker, half
of their sum the loop that keeps two cores busy. How far the gray of a JPEG's luma is from gray by
way of BGR is printed, too.

    python benchmarks/pipeline_costs.py [--model BUNDLE] [--engine openvino] [--frame line]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.pipeline import HD, LINE_CAMERA, write_int8_model, write_video
from benchmarks.script import run_script
from runtime.camera import Camera, Frame, open_camera
from runtime.health import HealthLimits
from runtime.session import Session, open_session
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.sinks import Sink
from runtime.stream.verdict import Verdict


class ClockedCamera(Camera):
    """Another camera; notes the processor time of the thread that reads, at each read.

    Attributes:
        at: milliseconds.
    """

    def __init__(self, camera: Camera) -> None:
        self.name, self.live, self._camera = camera.name, camera.live, camera
        self.at: list[float] = []

    def read(self) -> Frame | None:
        """The next frame of the camera."""
        self.at.append(time.thread_time_ns() / 1e6)
        return self._camera.read()


class ClockedSink(Sink):
    """Notes the processor time of the thread that judges, at each verdict.

    Attributes:
        at: milliseconds.
    """

    name = "clock"
    isolated = True

    def __init__(self) -> None:
        self.at: list[float] = []

    def emit(self, verdict: Verdict) -> None:
        """Note the time."""
        self.at.append(time.thread_time_ns() / 1e6)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, help="a bundle or an ONNX file")
    parser.add_argument("--precision", default="int8", help="of a bundle")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--frame", choices=("hd", "line"), default="hd", help="1080p or 1600x256")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    shape = HD if arguments.frame == "hd" else LINE_CAMERA
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        video = write_video(Path(name) / "video.avi", shape, arguments.frames)
        model = arguments.model or write_int8_model(Path(name) / "net.int8.onnx", channels=128)
        precision = arguments.precision if model.is_dir() else "auto"
        with open_session(model, precision, engine=arguments.engine, threads=1) as session:
            print(session.describe())
            show(video, session, arguments.rounds)
        show_decoders(video, arguments.rounds)
        show_gray(video)


def show(video: Path, session: Session, rounds: int) -> None:
    """Print milliseconds of processor time per frame, and what follows for two cores.

    Of each kind the median over the frames counts, and of these that of the least disturbed round.
    """
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for kind, milliseconds in costs(video, session).items():
            taken.setdefault(kind, []).append(milliseconds)
    least = {kind: min(values) for kind, values in taken.items()}
    for kind, values in taken.items():
        print(f"{kind}: {least[kind]:.2f} ms (median of {rounds} rounds {_median(values):.2f})")
    capture, judge = least["capture thread"], least["judging thread"]
    decode, infer = least["decode alone"], least["infer alone"]
    print(f"one captures, one judges: at most {1e3 / max(capture, judge):.0f} frames/s")
    print(f"two cores that never wait: at most {2e3 / (capture + judge):.0f} frames/s")
    print(f"the same, nothing but decode and infer: at most {2e3 / (decode + infer):.0f} frames/s")


def costs(video: Path, session: Session) -> dict[str, float]:
    """Milliseconds of processor time per frame, median over the frames, by kind."""
    with open_camera(str(video)) as camera:
        alone = ClockedCamera(camera)
        while (frame := alone.read()) is not None:
            last = frame
    assert last.pixels is not None
    image = np.zeros((1, 1, *session.contract.input.shape), np.uint8)
    cv2.resize(last.pixels, image.shape[:1:-1], dst=image[0, 0])
    inferred = []
    for _ in range(last.number + 1):
        start = time.process_time_ns()  # an engine may have a thread of its own
        session.infer(image)
        inferred.append((time.process_time_ns() - start) / 1e6)
    with open_camera(str(video)) as camera:
        capture, judge = ClockedCamera(camera), ClockedSink()
        settings = Settings(health=HealthLimits())
        pipeline = Pipeline(capture, session, settings, [judge], own_process=True)
        pipeline.start()
        pipeline.wait()
        pipeline.finish()
    return {
        "decode alone": _median(np.diff(alone.at)),
        "infer alone": _median(inferred),
        "capture thread": _median(np.diff(capture.at)),
        "judging thread": _median(np.diff(judge.at)),
    }


def show_decoders(video: Path, rounds: int) -> None:
    """Print what decoding to gray takes beside other ways to the pixels."""
    raw = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    read, packets = [], []
    while True:
        start = time.thread_time_ns()
        more, packet = raw.read()
        if not more:
            break
        read.append((time.thread_time_ns() - start) / 1e6)
        packets.append(packet.tobytes())
    colour = simplejpeg.decode_jpeg(packets[0], "BGR")
    ways: dict[str, Callable[[bytes], object]] = {
        "to gray": lambda jpeg: simplejpeg.decode_jpeg(jpeg, "GRAY", strict=True),
        "to gray, fast transform": lambda jpeg: simplejpeg.decode_jpeg(jpeg, "GRAY", fastdct=True),
        "to BGR": lambda jpeg: simplejpeg.decode_jpeg(jpeg, "BGR", strict=True),
        "BGR to gray": lambda _: cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY),
    }
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            taken = []
            for packet in packets:
                start = time.thread_time_ns()
                way(packet)
                taken.append((time.thread_time_ns() - start) / 1e6)
            least[name] = min(least[name], _median(taken))
    print(f"{statistics.mean(map(len, packets)):,.0f} bytes per frame; read {_median(read):.2f} ms")
    print(", ".join(f"{name} {milliseconds:.2f}" for name, milliseconds in least.items()) + " ms")


def show_gray(video: Path) -> None:
    """Print how gray from the JPEG's luma differs from gray by way of BGR."""
    usual = cv2.VideoCapture(str(video))
    worst, total, frames = 0, 0.0, 0
    with open_camera(str(video)) as camera:
        while (frame := camera.read()) is not None:
            _, colour = usual.read()
            assert frame.pixels is not None
            apart = cv2.absdiff(frame.pixels, cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY))
            worst, total, frames = max(worst, int(apart.max())), total + apart.mean(), frames + 1
    print(f"gray by way of BGR differs by at most {worst} levels, {total / frames:.3f} on average")


def _median(values: Iterable[float]) -> float:
    return statistics.median(float(value) for value in values)


if __name__ == "__main__":
    run_script(main)
